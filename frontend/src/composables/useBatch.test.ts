import { describe, expect, it } from 'vitest'
import { problemOf } from '@/api/problem'
import type { WriteOutcome } from '@/api/write'
import { useBatch } from './useBatch'

type Outcome = WriteOutcome<null>

const committed: Outcome = { kind: 'committed', version: 1, value: null }
const unknown: Outcome = { kind: 'unknown', change: 'c', detail: 'not known yet' }
const aborted: Outcome = { kind: 'aborted', reason: 'no room', round: '1-1', votes: [] }

function refused(status: number, kind: string): Outcome {
  const response = new Response(null, { status })
  return { kind: 'refused', problem: problemOf({ type: `/problems/${kind}` }, response) }
}

/** A server that gives these outcomes one after the other, and remembers under which keys it was asked. */
function server(...outcomes: Outcome[]) {
  const keys: string[] = []
  const send = async (_: string, key: string) => {
    keys.push(key)
    return outcomes.shift() ?? committed
  }
  return { keys, send }
}

describe('a batch of writes', () => {
  it('sends each under a key of its own, and knows when all are committed', async () => {
    const { keys, send } = server()
    const batch = useBatch(send)
    await batch.begin(['a', 'b', 'c'])
    expect(new Set(keys).size).toBe(3)
    expect(batch.committed.value).toHaveLength(3)
    expect(batch.isDone.value).toBe(true)
  })

  it('never mixes up committed, aborted, refused and unknown', async () => {
    const { send } = server(committed, aborted, refused(412, 'precondition-failed'), unknown)
    const batch = useBatch(send)
    await batch.begin(['a', 'b', 'c', 'd'])
    expect(batch.items.value.map(({ state }) => state)).toEqual([
      'committed',
      'aborted',
      'refused',
      'unknown',
    ])
    expect(batch.items.value[2]?.problem).toBe('precondition-failed')
    expect(batch.left.value.map(({ subject }) => subject)).toEqual(['b', 'c', 'd'])
  })

  it('sends what is unknown again under the same key, and what was aborted under a new one', async () => {
    const { keys, send } = server(aborted, unknown)
    const batch = useBatch(send)
    await batch.begin(['a', 'b'])
    await batch.again()
    expect(keys[2]).not.toBe(keys[0])
    expect(keys[3]).toBe(keys[1])
    expect(batch.left.value).toEqual([])
  })

  it('does not take "not now" for the outcome of an earlier attempt', async () => {
    const { send } = server(unknown, refused(503, 'no-quorum'), committed)
    const batch = useBatch(send)
    await batch.begin(['a'])
    await batch.again()
    expect(batch.items.value[0]?.state).toBe('unknown')
    await batch.again()
    expect(batch.items.value[0]?.state).toBe('committed')
  })

  it('does not send again what would be refused for ever', async () => {
    const { keys, send } = server(refused(412, 'precondition-failed'), aborted)
    const batch = useBatch(send)
    await batch.begin(['a', 'b'])
    expect(batch.retryable.value.map(({ subject }) => subject)).toEqual(['b'])
    await batch.again()
    expect(keys).toHaveLength(3)
    expect(batch.left.value.map(({ subject }) => subject)).toEqual(['a'])
    expect(batch.retryable.value).toEqual([])
  })

  it('sends no more once it is stopped, and goes on when it is told to', async () => {
    const answers: (() => void)[] = []
    const batch = useBatch(
      () => new Promise<Outcome>((resolve) => answers.push(() => resolve(committed))),
    )
    const running = batch.begin(['a', 'b', 'c', 'd', 'e', 'f'])
    batch.stop()
    answers.forEach((answer) => answer())
    await running
    expect(batch.committed.value).toHaveLength(4)
    expect(batch.left.value.map(({ state }) => state)).toEqual(['waiting', 'waiting'])
    const rest = batch.again()
    answers.slice(4).forEach((answer) => answer())
    await rest
    expect(batch.left.value).toEqual([])
  })

  it('has at most four under way', async () => {
    let underWay = 0
    let most = 0
    const batch = useBatch(async () => {
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setTimeout(resolve, 1))
      underWay -= 1
      return committed
    })
    await batch.begin(Array.from({ length: 11 }, (_, place) => String(place)))
    expect(most).toBe(4)
    expect(batch.committed.value).toHaveLength(11)
  })
})
