import { QueryClient } from '@tanstack/vue-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { toValue } from 'vue'
import { Refresher } from './refresher'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function refresherWith(tookMs: number) {
  const queries = new QueryClient()
  const reload = vi
    .spyOn(queries, 'invalidateQueries')
    .mockImplementation(() => new Promise((resolve) => setTimeout(resolve, tookMs)))
  return { refresher: new Refresher(queries), reload }
}

describe('the refresher', () => {
  it('reloads at once, and a burst of events only once more', async () => {
    const { refresher, reload } = refresherWith(10)
    for (let n = 0; n < 300; n++) refresher.mark(['books'])
    expect(reload).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(reload).toHaveBeenCalledTimes(2)
  })

  it('does not lose an event that arrives while it reloads', async () => {
    const { refresher, reload } = refresherWith(100)
    refresher.mark(['books'])
    await vi.advanceTimersByTimeAsync(50)
    refresher.mark(['books'])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(reload).toHaveBeenCalledTimes(2)
  })

  it('rests at least as long as a reload took', async () => {
    const { refresher, reload } = refresherWith(4_000)
    refresher.mark(['books'])
    refresher.mark(['books'])
    await vi.advanceTimersByTimeAsync(7_900)
    expect(reload).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(reload).toHaveBeenCalledTimes(2)
  })

  it('does not let one subject wait for another', () => {
    const { refresher, reload } = refresherWith(1_000)
    refresher.mark(['books'])
    refresher.mark(['cluster'])
    expect(reload.mock.calls.map(([filters]) => toValue(filters)?.queryKey)).toEqual([
      ['books'],
      ['cluster'],
    ])
  })
})
