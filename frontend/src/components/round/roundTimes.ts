/**
 * When each thing of a round happened at a participant, in microseconds after the round began, on the coordinator's clock.
 * What the coordinator could not see is reckoned from how long a message took to get there.
 */
import type { Round, Vote } from '@/api/types'

export interface MemberTimes {
  vote: Vote
  /** The prepare had arrived. */
  receivedUs: number | null
  /** The vote's record was handed to the disk. */
  stagedUs: number | null
  /** The vote's record was durable; the vote left. */
  durableUs: number | null
  /** The coordinator had the vote. */
  votedUs: number | null
  /** The outcome had arrived (reckoned). */
  toldUs: number | null
  /** The outcome's record was durable; the acknowledgement left (reckoned). */
  settledUs: number | null
  /** The coordinator had the acknowledgement. */
  acknowledgedUs: number | null
}

function noVote(member: string): Vote {
  return { member, vote: 'none', cause: null, reason: null, after_us: null }
}

export function timesOf(round: Round, member: string): MemberTimes {
  const vote = round.votes.find((each) => each.member === member) ?? noVote(member)
  const receivedUs = vote.received_after_us ?? null
  const acknowledgedUs = vote.acknowledged_after_us ?? null
  return {
    vote,
    receivedUs,
    stagedUs: vote.staged_after_us ?? null,
    durableUs: vote.durable_after_us ?? null,
    votedUs: vote.after_us,
    ...tellingOf(round, vote, receivedUs, acknowledgedUs),
    acknowledgedUs,
  }
}

/** An outcome travels as long as the prepare did, but never longer than the acknowledgement leaves room for. */
function tellingOf(
  round: Round,
  vote: Vote,
  receivedUs: number | null,
  acknowledgedUs: number | null,
): { toldUs: number | null; settledUs: number | null } {
  const decidedUs = round.decided_after_us
  if (decidedUs === null || vote.vote === 'none') return { toldUs: null, settledUs: null }
  if (round.outcome === 'aborted') {
    return { toldUs: receivedUs === null ? null : decidedUs + receivedUs, settledUs: null }
  }
  // Without an acknowledgement, nothing says that it has arrived.
  if (acknowledgedUs === null || acknowledgedUs < decidedUs) {
    return { toldUs: null, settledUs: null }
  }
  const wayUs = Math.min(receivedUs ?? 0, Math.floor((acknowledgedUs - decidedUs) / 2))
  return { toldUs: decidedUs + wayUs, settledUs: acknowledgedUs - wayUs }
}
