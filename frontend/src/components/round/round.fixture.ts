/** Rounds for the tests of this folder. */
import type { Round, Vote } from '@/api/types'

export function vote(member: string, more: Partial<Vote> = {}): Vote {
  return {
    member,
    vote: 'commit',
    cause: null,
    reason: null,
    received_after_us: 100,
    staged_after_us: 150,
    durable_after_us: 700,
    after_us: 800,
    acknowledged_after_us: 2_000,
    ...more,
  }
}

export function committed(more: Partial<Round> = {}): Round {
  return {
    id: '3-17',
    epoch: 3,
    number: 17,
    outcome: 'committed',
    version: 9,
    changes: 2,
    participants: ['replicator-1', 'replicator-2'],
    votes: [vote('replicator-1'), vote('replicator-2', { after_us: 900 })],
    started_at: '2026-11-27T10:31:07.000Z',
    decided_after_us: 1_200,
    ended_after_us: 2_000,
    reason: null,
    ...more,
  }
}

/** The second replicator voted abort. */
export function aborted(): Round {
  return committed({
    outcome: 'aborted',
    version: null,
    votes: [
      vote('replicator-1', { acknowledged_after_us: undefined }),
      vote('replicator-2', {
        vote: 'abort',
        cause: 'mine',
        reason: 'its disk is full; #1',
        acknowledged_after_us: undefined,
      }),
    ],
    reason: 'replicator-2 voted abort',
    decided_after_us: 820,
    ended_after_us: 820,
  })
}

/** Nothing was heard of the second replicator. */
export function inFlight(): Round {
  return committed({
    outcome: 'in_flight',
    version: null,
    votes: [
      vote('replicator-1', { acknowledged_after_us: undefined }),
      { member: 'replicator-2', vote: 'none', cause: null, reason: null, after_us: null },
    ],
    decided_after_us: null,
    ended_after_us: null,
  })
}
