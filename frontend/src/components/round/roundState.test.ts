import { describe, expect, it } from 'vitest'
import type { Round } from '@/api/types'
import { aborted, committed, inFlight, vote } from './round.fixture'
import { statesAt } from './roundState'

function at(round: Round, atUs: number): string[] {
  return statesAt(round, atUs, false).map(({ is }) => is)
}

describe('who knows what', () => {
  it('changes with each message and each sync of a committed round', () => {
    const round = committed()
    expect(at(round, 0)).toEqual(['waits', 'collects', 'asked', 'asked'])
    expect(at(round, 150)).toEqual(['waits', 'collects', 'writes', 'writes'])
    expect(at(round, 700)).toEqual(['waits', 'collects', 'doubt', 'doubt'])
    expect(at(round, 900)).toEqual(['waits', 'writes', 'doubt', 'doubt'])
    expect(at(round, 1_200)).toEqual(['knows_committed', 'tells', 'doubt', 'doubt'])
    expect(at(round, 1_300)).toEqual(['knows_committed', 'tells', 'heard', 'heard'])
    expect(at(round, 2_000)).toEqual([
      'knows_committed',
      'done',
      'knows_committed',
      'knows_committed',
    ])
  })

  it('leaves nobody in doubt who voted abort', () => {
    expect(at(aborted(), 750)).toEqual(['waits', 'collects', 'doubt', 'refused'])
    expect(at(aborted(), 1_000)).toEqual(['knows_aborted', 'aborted', 'knows_aborted', 'refused'])
  })

  it('keeps a replicator in doubt until it is known to have heard the decision', () => {
    const votes = [vote('replicator-1'), vote('replicator-2', { acknowledged_after_us: undefined })]
    const round = committed({ votes, ended_after_us: null })
    expect(statesAt(round, 9_000, false)).toContainEqual({
      party: 'member',
      is: 'doubt',
      member: 'replicator-2',
      votedUs: 700,
    })
    expect(statesAt(round, 9_000, false)).toContainEqual({
      party: 'coordinator',
      is: 'tells',
      left: 1,
    })
  })

  it('says of a silent replicator only that nothing was heard', () => {
    expect(at(inFlight(), 5_000)).toEqual(['waits', 'collects', 'doubt', 'asked'])
    const round = { ...inFlight(), outcome: 'aborted' as const, decided_after_us: 5_000 }
    expect(at(round, 5_000)).toEqual(['knows_aborted', 'aborted', 'doubt', 'passed_over'])
  })

  it('is not known of a round whose coordinator is gone', () => {
    expect(statesAt(inFlight(), 5_000, true)).toContainEqual({
      party: 'coordinator',
      is: 'unheard',
    })
  })
})
