import { describe, expect, it } from 'vitest'
import { aborted, committed, inFlight, vote } from './round.fixture'
import { momentsOf, stepsOf, type Step } from './roundSteps'

function of(steps: Step[], kind: Step['kind'], member: string | null = null): Step | undefined {
  return steps.find((step) => step.kind === kind && step.member === member)
}

describe('the steps of a round', () => {
  it('are told in the order in which they ended', () => {
    const steps = stepsOf(committed())
    const kinds = steps.filter(({ member }) => member !== 'replicator-2').map(({ kind }) => kind)
    expect(kinds).toEqual([
      'request',
      'prepare',
      'write',
      'vote',
      'decide',
      'answer',
      'tell',
      'settle',
      'acknowledge',
    ])
    const ends = steps.map(({ endsUs }) => endsUs ?? Infinity)
    expect(ends).toEqual([...ends].sort((one, other) => one - other))
  })

  it('put disk before word: a vote leaves when its record is durable, an answer when the decision is', () => {
    const steps = stepsOf(committed())
    for (const member of ['replicator-1', 'replicator-2']) {
      expect(of(steps, 'vote', member)?.beginsUs).toBe(of(steps, 'write', member)?.endsUs)
      expect(of(steps, 'acknowledge', member)?.beginsUs).toBe(of(steps, 'settle', member)?.endsUs)
      expect(of(steps, 'tell', member)?.beginsUs).toBe(of(steps, 'decide')?.endsUs)
    }
    expect(of(steps, 'answer')?.beginsUs).toBe(of(steps, 'decide')?.endsUs)
    expect(of(steps, 'decide')).toMatchObject({ beginsUs: 900, endsUs: 1_200, isSync: true })
  })

  it('never let the outcome travel longer than its acknowledgement leaves room for', () => {
    const near = vote('replicator-1', { received_after_us: 500, acknowledged_after_us: 1_300 })
    const steps = stepsOf(committed({ votes: [near, vote('replicator-2')] }))
    expect(of(steps, 'tell', 'replicator-1')?.endsUs).toBe(1_250)
    expect(of(steps, 'acknowledge', 'replicator-1')).toMatchObject({
      beginsUs: 1_250,
      endsUs: 1_300,
    })
  })

  it('write nothing for an abort', () => {
    const steps = stepsOf(aborted())
    expect(of(steps, 'decide')).toMatchObject({ beginsUs: 820, endsUs: 820, isSync: false })
    expect(steps.some(({ kind }) => kind === 'settle' || kind === 'acknowledge')).toBe(false)
  })

  it('say of what was not heard neither that it arrived nor that it did not', () => {
    const steps = stepsOf(inFlight())
    expect(of(steps, 'prepare', 'replicator-2')?.endsUs).toBeNull()
    expect(of(steps, 'vote', 'replicator-2')).toBeUndefined()
    expect(of(steps, 'decide')).toBeUndefined()
    expect(steps.at(-1)?.endsUs).toBeNull()
  })

  it('show a commit that was not acknowledged as sent', () => {
    const votes = [vote('replicator-1'), vote('replicator-2', { acknowledged_after_us: undefined })]
    const steps = stepsOf(committed({ votes, ended_after_us: null }))
    expect(of(steps, 'tell', 'replicator-2')?.endsUs).toBeNull()
    expect(of(steps, 'settle', 'replicator-2')).toBeUndefined()
  })

  it('show a decision that is being written', () => {
    const votes = [vote('replicator-1'), vote('replicator-2')]
    const steps = stepsOf(committed({ outcome: 'in_flight', votes, decided_after_us: null }))
    expect(of(steps, 'decide')).toMatchObject({ beginsUs: 800, endsUs: null })
  })

  it('do without the times that a replicator did not give', () => {
    const unheard = { cause: null, reason: null }
    const bare = { member: 'replicator-1', vote: 'commit' as const, after_us: 640, ...unheard }
    const steps = stepsOf(committed({ participants: ['replicator-1'], votes: [bare] }))
    expect(of(steps, 'vote', 'replicator-1')).toMatchObject({ beginsUs: 640, endsUs: 640 })
    expect(of(steps, 'write', 'replicator-1')).toBeUndefined()
  })

  it('happen at moments that are each counted once', () => {
    const moments = momentsOf(stepsOf(committed()))
    expect(moments).toEqual([...new Set(moments)].sort((one, other) => one - other))
    expect(moments).toContain(700)
    expect(moments.at(-1)).toBe(2_000)
  })
})
