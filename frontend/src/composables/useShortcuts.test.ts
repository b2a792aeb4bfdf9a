import { afterEach, expect, it, vi } from 'vitest'
import { runInPage } from '@/testing/mounting'
import { useShortcuts } from './useShortcuts'

const add = vi.fn()

function press(
  key: string,
  target: EventTarget = document.body,
  more: KeyboardEventInit = {},
): void {
  target.dispatchEvent(
    new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }),
  )
}

afterEach(() => {
  add.mockReset()
  document.body.replaceChildren()
})

it('does what a key says, as long as the page is there', () => {
  const { stop } = runInPage(() => useShortcuts({ n: add }))
  press('n')
  press('m')
  expect(add).toHaveBeenCalledTimes(1)
  stop()
  press('n')
  expect(add).toHaveBeenCalledTimes(1)
})

it('leaves keys alone that are typed, or belong to the browser or to a dialog', () => {
  const { stop } = runInPage(() => useShortcuts({ n: add }))
  const field = document.body.appendChild(document.createElement('input'))
  press('n', field)
  press('n', document.body, { ctrlKey: true })
  const dialog = document.body.appendChild(document.createElement('div'))
  dialog.className = 'v-overlay--active'
  press('n')
  expect(add).not.toHaveBeenCalled()
  stop()
})
