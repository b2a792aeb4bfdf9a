/** The width of an element in pixels, as it changes; zero before it is there. */
import { onScopeDispose, ref, watch, type Ref } from 'vue'

export function useWidth(element: Ref<HTMLElement | null>): Ref<number> {
  const width = ref(0)
  if (!('ResizeObserver' in globalThis)) return width
  const observer = new ResizeObserver(([entry]) => {
    width.value = entry?.contentRect.width ?? 0
  })
  watch(
    element,
    (now, before) => {
      if (before) observer.unobserve(before)
      if (now) observer.observe(now)
    },
    { immediate: true, flush: 'post' },
  )
  onScopeDispose(() => observer.disconnect())
  return width
}
