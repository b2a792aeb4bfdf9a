/** Keys that do something on a page, except while somebody types, or a dialog or menu is open. */
import { onMounted, onUnmounted } from 'vue'

const TYPING = 'input, textarea, select, [contenteditable="true"]'
const OPEN_ABOVE = '.v-overlay--active:not(.v-tooltip)'

export function useShortcuts(actions: Record<string, () => void>): void {
  function onKey(event: KeyboardEvent): void {
    const action = actions[event.key]
    if (!action || event.defaultPrevented) return
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.target instanceof Element && event.target.closest(TYPING)) return
    if (document.querySelector(OPEN_ABOVE)) return
    event.preventDefault()
    action()
  }
  onMounted(() => window.addEventListener('keydown', onKey))
  onUnmounted(() => window.removeEventListener('keydown', onKey))
}
