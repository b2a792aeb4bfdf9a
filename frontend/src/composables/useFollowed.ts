/**
 * The newest round, at a pace that an eye can follow: the next one is shown at once after a while of quiet, and at most every so
 * often under load. What changes in the round that is shown is never held back.
 */
import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import type { Round } from '@/api/types'

const SHOWN_MS_MIN = 300

export function useFollowed(newest: () => Round | null): ShallowRef<Round | null> {
  const shown = shallowRef(newest())
  let timer: ReturnType<typeof setTimeout> | undefined
  let sinceMs = -Infinity

  function show(): void {
    timer = undefined
    const next = newest()
    if (next?.id !== shown.value?.id) sinceMs = performance.now()
    shown.value = next
  }

  watch(newest, (next) => {
    const leftMs = sinceMs + SHOWN_MS_MIN - performance.now()
    if (leftMs <= 0 || next?.id === shown.value?.id) show()
    else timer ??= setTimeout(show, leftMs)
  })
  onScopeDispose(() => clearTimeout(timer))
  return shown
}
