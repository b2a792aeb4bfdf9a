import { ref } from 'vue'

const SHOWN_MS = 2_000

/** Copies text, also on pages served without https, where `navigator.clipboard` is missing. */
export function useCopy() {
  const copied = ref(false)

  async function copy(text: string): Promise<void> {
    copied.value = await copyText(text)
    setTimeout(() => (copied.value = false), SHOWN_MS)
  }

  return { copied, copy }
}

async function copyText(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text)
      return true
    }
  } catch {
    // Refused by the browser: the older way may still be allowed.
  }
  return copyBySelection(text)
}

function copyBySelection(text: string): boolean {
  const focused = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.setAttribute('readonly', '')
  area.style.position = 'fixed'
  area.style.opacity = '0'
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return done
}
