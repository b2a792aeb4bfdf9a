import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { nextTick, shallowRef } from 'vue'
import type { Round } from '@/api/types'
import { committed, inFlight } from '@/components/round/round.fixture'
import { runInPage } from '@/testing/mounting'
import { useFollowed } from './useFollowed'

function round(number: number): Round {
  return committed({ id: `1-${number}`, number })
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('shows the next round at once, and under load only now and then', async () => {
  const newest = shallowRef<Round | null>(null)
  const { result, stop } = runInPage(() => useFollowed(() => newest.value))
  for (const number of [1, 2, 3]) {
    newest.value = round(number)
    await nextTick()
    expect(result.value?.number).toBe(1)
  }
  vi.advanceTimersByTime(400)
  expect(result.value?.number).toBe(3)
  stop()
})

it('never holds back what happens in the round that is shown', async () => {
  const newest = shallowRef<Round | null>(inFlight())
  const { result, stop } = runInPage(() => useFollowed(() => newest.value))
  newest.value = committed()
  await nextTick()
  expect(result.value?.outcome).toBe('committed')
  stop()
})
