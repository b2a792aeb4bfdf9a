/** Holds the page while writes are on their way: who left it would not hear how they end. */
import { onBeforeUnmount, watch, type Ref } from 'vue'
import { onBeforeRouteLeave } from 'vue-router'

/** For components below a router view: another page is not gone to, and the browser asks before it closes the tab. */
export function useLeaveGuard(isBusy: Ref<boolean>): void {
  onBeforeRouteLeave(() => !isBusy.value)
  useUnloadGuard(isBusy)
}

/** For what stays open on every page: only the browser asks. */
export function useUnloadGuard(isBusy: Ref<boolean>): void {
  const ask = (event: BeforeUnloadEvent) => event.preventDefault()
  watch(isBusy, (busy) => {
    if (busy) window.addEventListener('beforeunload', ask)
    else window.removeEventListener('beforeunload', ask)
  })
  onBeforeUnmount(() => window.removeEventListener('beforeunload', ask))
}
