import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { useNotices } from './notices'

beforeEach(() => {
  vi.useFakeTimers()
  setActivePinia(createPinia())
})
afterEach(() => vi.useRealTimers())

it('go by themselves, later if there is something to do about them', () => {
  const store = useNotices()
  store.tell('saved')
  store.tell('deleted', '', { text: 'Undo', run: () => {} })
  vi.advanceTimersByTime(10_000)
  expect(store.notices.map(({ text }) => text)).toEqual(['deleted'])
  vi.advanceTimersByTime(10_000)
  expect(store.notices).toEqual([])
})

it('stay as long as somebody is at them', () => {
  const store = useNotices()
  store.tell('deleted', '', { text: 'Undo', run: () => {} })
  const notice = store.notices[0]!
  store.hold(notice)
  vi.advanceTimersByTime(60_000)
  expect(store.notices).toHaveLength(1)
  store.goOn(notice)
  vi.advanceTimersByTime(20_000)
  expect(store.notices).toEqual([])
})
