import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Round } from '@/api/types'
import { committed } from '@/components/round/round.fixture'
import { useLink } from '@/stores/link'
import { holdRequests, type Asked } from '@/testing/answers'
import { runInPage } from '@/testing/mounting'
import { ROUNDS_MAX, useRoundFeed } from './useRoundFeed'

function rounds(from: number, to: number, epoch = 1): Round[] {
  const list: Round[] = []
  for (let number = from; number >= to; number--) {
    list.push(committed({ id: `${epoch}-${number}`, epoch, number }))
  }
  return list
}

function page(items: Round[], next: string | null = null) {
  return { items, next, total: items.length }
}

let asked: Asked[]

async function answer(place: number, body: unknown, status = 200): Promise<void> {
  asked[place]!.answer(status, body)
  await vi.advanceTimersByTimeAsync(0)
}

function tell(): void {
  const event = { name: 'round', at: '', round: null, text: '' }
  useLink().noteEvent({ id: String(Math.random()), ...event })
}

beforeEach(() => {
  vi.useFakeTimers()
  asked = holdRequests()
})
afterEach(() => vi.useRealTimers())

describe('the feed of rounds', () => {
  it('loads all pages once, newest first, and keeps no more than the coordinator does', async () => {
    const { result, stop } = runInPage(useRoundFeed)
    await answer(0, page(rounds(1_200, 701), '1-701'))
    await answer(1, page(rounds(700, 201), '1-201'))
    expect(result.rounds.value).toHaveLength(ROUNDS_MAX)
    expect(result.rounds.value[0]?.id).toBe('1-1200')
    expect(asked).toHaveLength(2)
    stop()
  })

  it('asks for the newest page at an event, at once but not again and again', async () => {
    const { result, stop } = runInPage(useRoundFeed)
    await answer(0, page(rounds(3, 1)))
    await vi.advanceTimersByTimeAsync(1_000)
    tell()
    await vi.advanceTimersByTimeAsync(0)
    expect(asked).toHaveLength(2)
    expect(asked[1]!.request.url).toContain('limit=50')
    tell()
    tell()
    await answer(1, page(rounds(4, 1)))
    expect(result.rounds.value.map(({ number }) => number)).toEqual([4, 3, 2, 1])
    await vi.advanceTimersByTimeAsync(100)
    expect(asked).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(100)
    expect(asked).toHaveLength(3)
    stop()
  })

  it('reads on when more came than one page holds', async () => {
    const { result, stop } = runInPage(useRoundFeed)
    await answer(0, page(rounds(10, 1)))
    await vi.advanceTimersByTimeAsync(1_000)
    tell()
    await vi.advanceTimersByTimeAsync(0)
    await answer(1, page(rounds(100, 51), '1-51'))
    await answer(2, page(rounds(50, 1)))
    expect(result.rounds.value).toHaveLength(100)
    stop()
  })

  it('asks by name for a round that is not over, but older than the newest page', async () => {
    const open = committed({ id: '1-1', epoch: 1, number: 1, ended_after_us: null })
    const { result, stop } = runInPage(useRoundFeed)
    await answer(0, page([...rounds(60, 2), open]))
    await vi.advanceTimersByTimeAsync(1_000)
    tell()
    await vi.advanceTimersByTimeAsync(0)
    await answer(1, page(rounds(60, 11), '1-11'))
    expect(asked[2]!.request.url).toMatch(/\/rounds\/1-1$/)
    await answer(2, { ...open, ended_after_us: 5_000 })
    expect(result.rounds.value.at(-1)?.ended_after_us).toBe(5_000)
    stop()
  })

  it('keeps the rounds of a coordinator that is gone', async () => {
    const { result, stop } = runInPage(useRoundFeed)
    await answer(0, page(rounds(2, 1)))
    await vi.advanceTimersByTimeAsync(1_000)
    tell()
    await vi.advanceTimersByTimeAsync(0)
    await answer(1, page(rounds(3, 3, 2)))
    expect(result.rounds.value.map(({ id }) => id)).toEqual(['2-3', '1-2', '1-1'])
    stop()
  })

  it('says what went wrong, keeps what it has and asks again', async () => {
    const { result, stop } = runInPage(useRoundFeed)
    await answer(0, page(rounds(2, 1)))
    await vi.advanceTimersByTimeAsync(5_000)
    await answer(1, { title: 'not now' }, 503)
    expect(result.error.value).not.toBeNull()
    expect(result.rounds.value).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(5_000)
    await answer(2, page(rounds(3, 1)))
    expect(result.error.value).toBeNull()
    expect(result.rounds.value).toHaveLength(3)
    stop()
  })
})
