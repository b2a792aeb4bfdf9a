/**
 * The same value, some frames later: what a change sets going is spread over frames, so that none of them is long.
 * The first value is there at once.
 */
import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'

export function useNextFrame<Value>(source: () => Value, frames: number): ShallowRef<Value> {
  const later = shallowRef(source())
  let left = 0
  let handle = 0

  function step(): void {
    left -= 1
    if (left > 0) handle = requestAnimationFrame(step)
    else later.value = source()
  }

  watch(source, () => {
    // One that is on its way takes the newest value with it.
    if (left > 0) return
    left = frames
    handle = requestAnimationFrame(step)
  })
  onScopeDispose(() => cancelAnimationFrame(handle))
  return later
}
