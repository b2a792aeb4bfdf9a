/** What each party of a round knows at a moment of it: the plain sentence behind every picture. */
import type { Round } from '@/api/types'
import { timesOf } from './roundTimes'

export type PartyState =
  | { party: 'client'; is: 'waits' | 'knows_committed' | 'knows_aborted' }
  | { party: 'coordinator'; is: 'collects'; votes: number; all: number }
  | { party: 'coordinator'; is: 'writes' | 'done' | 'aborted' | 'unheard' }
  | { party: 'coordinator'; is: 'tells'; left: number }
  | {
      party: 'member'
      is:
        | 'asked'
        | 'writes'
        | 'doubt'
        | 'refused'
        | 'heard'
        | 'knows_committed'
        | 'knows_aborted'
        | 'passed_over'
      member: string
      /** When it voted, in microseconds after the round began; null if it has not. */
      votedUs: number | null
    }

/** Whether a moment has come; what is not known to have happened has not. */
function has(momentUs: number | null | undefined, atUs: number): boolean {
  return momentUs !== null && momentUs !== undefined && momentUs <= atUs
}

/** Everybody's state `atUs` after the round began. `isLost`: its coordinator is gone, and it was not decided before. */
export function statesAt(round: Round, atUs: number, isLost: boolean): PartyState[] {
  return [
    clientAt(round, atUs),
    isLost ? { party: 'coordinator', is: 'unheard' } : coordinatorAt(round, atUs),
    ...round.participants.map((member) => memberAt(round, member, atUs)),
  ]
}

function clientAt(round: Round, atUs: number): PartyState {
  if (!has(round.decided_after_us, atUs)) return { party: 'client', is: 'waits' }
  const is = round.outcome === 'committed' ? 'knows_committed' : 'knows_aborted'
  return { party: 'client', is }
}

function coordinatorAt(round: Round, atUs: number): PartyState {
  if (has(round.decided_after_us, atUs)) {
    if (round.outcome === 'aborted') return { party: 'coordinator', is: 'aborted' }
    const silent = round.votes.filter((vote) => !has(vote.acknowledged_after_us, atUs)).length
    if (has(round.ended_after_us, atUs) || silent === 0) return { party: 'coordinator', is: 'done' }
    return { party: 'coordinator', is: 'tells', left: silent }
  }
  const votes = round.votes.filter((vote) => has(vote.after_us, atUs))
  const isUnanimous =
    votes.length === round.participants.length && votes.every(({ vote }) => vote === 'commit')
  if (isUnanimous) return { party: 'coordinator', is: 'writes' }
  const all = round.participants.length
  return { party: 'coordinator', is: 'collects', votes: votes.length, all }
}

function memberAt(round: Round, member: string, atUs: number): PartyState {
  const times = timesOf(round, member)
  const votedUs = times.durableUs ?? times.votedUs
  const state = (is: Extract<PartyState, { party: 'member' }>['is']): PartyState => ({
    party: 'member',
    is,
    member,
    votedUs,
  })
  const isDecided = has(round.decided_after_us, atUs)
  if (has(times.settledUs, atUs) || has(times.acknowledgedUs, atUs)) {
    return state('knows_committed')
  }
  if (has(votedUs, atUs)) {
    if (times.vote.vote === 'abort') return state('refused')
    if (has(times.toldUs, atUs)) {
      return state(round.outcome === 'aborted' ? 'knows_aborted' : 'heard')
    }
    return state('doubt')
  }
  if (isDecided && times.vote.vote === 'none') return state('passed_over')
  return state(has(times.receivedUs, atUs) ? 'writes' : 'asked')
}
