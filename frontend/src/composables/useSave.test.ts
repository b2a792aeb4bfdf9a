import { flushPromises } from '@vue/test-utils'
import { describe, expect, it, vi } from 'vitest'
import type { WriteOutcome } from '@/api/write'
import type { Problem } from '@/api/problem'
import { holdRequests } from '@/testing/answers'
import { FOLLOW_UP_MS, useSave } from './useSave'

const unknown: WriteOutcome<never> = { kind: 'unknown', change: 'c1', detail: 'Not decided.' }
const committed: WriteOutcome<null> = { kind: 'committed', version: 8, value: null }
const aborted: WriteOutcome<never> = {
  kind: 'aborted',
  reason: 'Disk full.',
  round: '3-4',
  votes: [{ member: 'replicator-1', vote: 'abort', cause: 'mine', reason: null, after_us: 640 }],
}
const invalid: WriteOutcome<never> = {
  kind: 'refused',
  problem: { kind: 'invalid-book', status: 422 } as Problem,
}

/** A save whose sends are answered by the given outcomes in turn; notes the keys. */
function saveWith(...outcomes: WriteOutcome<null>[]) {
  const onCommitted = vi.fn()
  const keys: string[] = []
  const save = useSave<null>(onCommitted)
  const send = async (key: string) => {
    keys.push(key)
    return outcomes.shift()!
  }
  return { ...save, onCommitted, keys, request: (content: string) => ({ content, send }) }
}

describe('a save', () => {
  it('shows committed only after the answer said so', async () => {
    const { state, save, onCommitted } = saveWith()
    let answer!: (outcome: WriteOutcome<null>) => void
    const done = save({ content: 'a', send: () => new Promise((resolve) => (answer = resolve)) })
    expect(state.value).toEqual({ kind: 'saving' })
    expect(onCommitted).not.toHaveBeenCalled()
    answer(committed)
    await done
    expect(state.value).toEqual({ kind: 'committed', version: 8 })
    expect(onCommitted).toHaveBeenCalledExactlyOnceWith(8, null)
  })

  it('sends once, however often it is asked to while it is open', async () => {
    const { save, request, keys } = saveWith(committed)
    await Promise.all([save(request('a')), save(request('a')), save(request('a'))])
    expect(keys).toHaveLength(1)
  })

  it('keeps reason, round and votes of an abort', async () => {
    const { state, save, request } = saveWith(aborted)
    await save(request('a'))
    expect(state.value).toEqual(aborted)
  })

  it('takes a new key after an abort, also for the same content', async () => {
    const { save, request, keys } = saveWith(aborted, committed)
    await save(request('a'))
    await save(request('a'))
    expect(keys[0]).not.toBe(keys[1])
  })

  it('goes back to editing with the problem when it was refused', async () => {
    const { state, save, request } = saveWith(invalid)
    await save(request('a'))
    expect(state.value).toMatchObject({
      kind: 'editing',
      refusal: { kind: 'problem', problem: { kind: 'invalid-book' } },
    })
  })

  it('keeps its key when the same content is sent again after a refusal', async () => {
    const { save, request, keys } = saveWith(invalid, invalid, committed)
    await save(request('a'))
    await save(request('a'))
    await save(request('b'))
    expect(keys[0]).toBe(keys[1])
    expect(keys[1]).not.toBe(keys[2])
  })

  it('drops an answer that comes after the form was opened anew', async () => {
    const { state, save, edit, onCommitted } = saveWith()
    let answer!: (outcome: WriteOutcome<null>) => void
    const done = save({ content: 'a', send: () => new Promise((resolve) => (answer = resolve)) })
    edit()
    answer(committed)
    await done
    expect(state.value).toEqual({ kind: 'editing', refusal: null })
    expect(onCommitted).not.toHaveBeenCalled()
  })
})

describe('an unknown outcome', () => {
  it('is neither committed nor aborted, and locks the content', async () => {
    const { state, isLocked, save, request, onCommitted } = saveWith(unknown)
    await save(request('a'))
    expect(state.value).toEqual({ ...unknown, check: 'not_asked' })
    expect(isLocked.value).toBe(true)
    expect(onCommitted).not.toHaveBeenCalled()
  })

  it('becomes committed when the server says so', async () => {
    const asked = holdRequests()
    const { state, save, request, checkAgain, onCommitted } = saveWith(unknown)
    await save(request('a'))
    const done = checkAgain()
    await flushPromises()
    expect(state.value).toMatchObject({ kind: 'unknown', check: 'asking' })
    expect(new URL(asked[0]!.request.url).pathname).toBe('/api/v1/changes/c1')
    asked[0]!.answer(200, { change: 'c1', state: 'committed', version: 9 })
    await done
    expect(state.value).toEqual({ kind: 'committed', version: 9 })
    expect(onCommitted).toHaveBeenCalledOnce()
  })

  it('is asked for again by itself until it is known, without a word in between', async () => {
    vi.useFakeTimers()
    try {
      const asked = holdRequests()
      const { state, save, request, onCommitted } = saveWith(unknown)
      await save(request('a'))
      await vi.advanceTimersByTimeAsync(FOLLOW_UP_MS)
      expect(state.value).toEqual({ ...unknown, check: 'not_asked' })
      asked[0]!.answer(200, { change: 'c1', state: 'unknown' })
      await vi.advanceTimersByTimeAsync(FOLLOW_UP_MS)
      asked[1]!.fail()
      await vi.advanceTimersByTimeAsync(FOLLOW_UP_MS)
      expect(state.value).toEqual({ ...unknown, check: 'not_asked' })
      asked[2]!.answer(200, { change: 'c1', state: 'committed', version: 9 })
      await vi.advanceTimersByTimeAsync(10 * FOLLOW_UP_MS)
      expect(state.value).toEqual({ kind: 'committed', version: 9 })
      expect(onCommitted).toHaveBeenCalledOnce()
      expect(asked).toHaveLength(3)
    } finally {
      vi.useRealTimers()
    }
  })

  it('stays unknown while the server does not know', async () => {
    const asked = holdRequests()
    const { state, save, request, checkAgain } = saveWith(unknown)
    await save(request('a'))
    const done = checkAgain()
    await flushPromises()
    asked[0]!.answer(200, { change: 'c1', state: 'unknown' })
    await done
    expect(state.value).toMatchObject({ kind: 'unknown', change: 'c1', check: 'still_unknown' })
  })

  it('stays unknown when the question gets no answer', async () => {
    const asked = holdRequests()
    const { state, save, request, checkAgain } = saveWith(unknown)
    await save(request('a'))
    const done = checkAgain()
    await flushPromises()
    asked[0]!.fail()
    await done
    expect(state.value).toMatchObject({ kind: 'unknown', check: 'no_answer' })
  })

  it('opens the form again when the server does not know the change', async () => {
    const asked = holdRequests()
    const { state, save, request, checkAgain } = saveWith(unknown)
    await save(request('a'))
    const done = checkAgain()
    await flushPromises()
    asked[0]!.answer(404, { type: '/problems/not-found' })
    await done
    expect(state.value).toEqual({ kind: 'editing', refusal: { kind: 'not_carried_out' } })
  })

  it('is sent again under the same key, so that nothing happens twice', async () => {
    const { state, save, request, sendAgain, keys } = saveWith(unknown, committed)
    await save(request('a'))
    await sendAgain()
    expect(keys[1]).toBe(keys[0])
    expect(state.value.kind).toBe('committed')
  })

  it('stays unknown when the server cannot take it again at present', async () => {
    const busy = { kind: 'no-quorum', status: 503, detail: 'replicator-2 is down.' } as Problem
    const refused: WriteOutcome<never> = { kind: 'refused', problem: busy }
    const { state, save, request, sendAgain, keys } = saveWith(unknown, refused, committed)
    await save(request('a'))
    await sendAgain()
    expect(state.value).toMatchObject({ kind: 'unknown', change: 'c1', detail: busy.detail })
    await sendAgain()
    expect(new Set(keys).size).toBe(1)
    expect(state.value.kind).toBe('committed')
  })

  it('is sent again when there is no id to ask for', async () => {
    const { save, request, checkAgain, keys } = saveWith({ ...unknown, change: null }, committed)
    await save(request('a'))
    await checkAgain()
    expect(keys[1]).toBe(keys[0])
  })
})
