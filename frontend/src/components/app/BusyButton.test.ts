import { expect, it } from 'vitest'
import { mountInPage } from '@/testing/mounting'
import BusyButton from './BusyButton.vue'

it('has no wheel without a name while it is at work', () => {
  const button = mountInPage(BusyButton, { isBusy: true, color: 'primary' })
  expect(button.attributes('aria-busy')).toBe('true')
  expect(button.find('[role="progressbar"]').attributes('aria-hidden')).toBe('true')
  expect(button.classes()).toContain('bg-primary')
  button.unmount()
})
