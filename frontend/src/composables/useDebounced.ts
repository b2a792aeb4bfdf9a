import { onScopeDispose, ref, watch, type Ref } from 'vue'

/** Follows `source`, but only once it has been still for `delayMs`. */
export function useDebounced<Value>(source: Ref<Value>, delayMs: number): Ref<Value> {
  const settled = ref(source.value) as Ref<Value>
  let timer: ReturnType<typeof setTimeout> | undefined

  watch(source, (value) => {
    clearTimeout(timer)
    timer = setTimeout(() => (settled.value = value), delayMs)
  })
  onScopeDispose(() => clearTimeout(timer))

  return settled
}
