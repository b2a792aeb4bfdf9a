/**
 * Loads the parts of the page that are not needed at its start. Where there is another app-server to go on
 * with, the one that has them may be gone when they are needed.
 */
const parts = import.meta.glob(['./views/*.vue', './components/*/*Dialog.vue', './locales/es.json'])

const IDLE_MS_MAX = 3_000

export function loadPartsWhenIdle(): void {
  // A part that cannot be loaded now is asked for again when it is needed.
  const loadAll = () => Object.values(parts).forEach((load) => void load().catch(() => {}))
  if ('requestIdleCallback' in globalThis) requestIdleCallback(loadAll, { timeout: IDLE_MS_MAX })
  else setTimeout(loadAll, IDLE_MS_MAX)
}
