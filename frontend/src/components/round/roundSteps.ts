/** What happened in a round, step by step: a pure function of what the coordinator reports of it. */
import type { Round, Vote } from '@/api/types'
import { timesOf, type MemberTimes } from './roundTimes'

export const APP_SERVER = 'app-server'
export const COORDINATOR = 'coordinator'

export type StepKind =
  'request' | 'prepare' | 'write' | 'vote' | 'decide' | 'tell' | 'settle' | 'acknowledge' | 'answer'

export interface Step {
  kind: StepKind
  from: string
  /** Where a message goes to; null for what happens in one place. */
  to: string | null
  /** When it began or left, in microseconds after the round began. */
  beginsUs: number
  /** When it was done or had arrived; null if that is not known. */
  endsUs: number | null
  /** The replicator that it is about; null if it is about none. */
  member: string | null
  vote: Vote | null
  /** Its end is the moment at which a disk confirmed that something is durable. */
  isSync: boolean
}

/** All steps in the order in which they ended; what has not ended comes last. */
export function stepsOf(round: Round): Step[] {
  const steps = [request(), ...round.participants.flatMap((id) => memberSteps(round, id))]
  steps.push(...decision(round))
  const place = new Map(steps.map((step, index) => [step, index]))
  const end = ({ endsUs }: Step) => endsUs ?? Infinity
  return steps.sort((one, other) =>
    end(one) === end(other) ? place.get(one)! - place.get(other)! : end(one) - end(other),
  )
}

/** Every moment at which something began or ended, in order, each once. */
export function momentsOf(steps: Step[]): number[] {
  const moments = steps.flatMap(({ beginsUs, endsUs }) => [beginsUs, endsUs ?? beginsUs])
  return [...new Set(moments)].sort((one, other) => one - other)
}

/** When a step is counted as having happened. */
export function momentOf({ beginsUs, endsUs }: Step): number {
  return endsUs ?? beginsUs
}

function step(
  kind: StepKind,
  from: string,
  to: string | null,
  beginsUs: number,
  endsUs: number | null,
  more: Partial<Step> = {},
): Step {
  return { kind, from, to, beginsUs, endsUs, member: null, vote: null, isSync: false, ...more }
}

function request(): Step {
  return step('request', APP_SERVER, COORDINATOR, 0, 0)
}

function memberSteps(round: Round, member: string): Step[] {
  const times = timesOf(round, member)
  return [...voting(member, times), ...telling(round, member, times)]
}

function voting(member: string, times: MemberTimes): Step[] {
  const { vote, receivedUs, stagedUs, durableUs, votedUs } = times
  const steps = [step('prepare', COORDINATOR, member, 0, receivedUs, { member })]
  if (stagedUs !== null && durableUs !== null) {
    steps.push(step('write', member, null, stagedUs, durableUs, { member, vote, isSync: true }))
  }
  if (votedUs !== null && vote.vote !== 'none') {
    steps.push(step('vote', member, COORDINATOR, durableUs ?? votedUs, votedUs, { member, vote }))
  }
  return steps
}

function telling(round: Round, member: string, times: MemberTimes): Step[] {
  const decidedUs = round.decided_after_us ?? null
  if (decidedUs === null) return []
  const { toldUs, settledUs, acknowledgedUs } = times
  const steps = [step('tell', COORDINATOR, member, decidedUs, toldUs, { member })]
  if (toldUs !== null && settledUs !== null) {
    steps.push(step('settle', member, null, toldUs, settledUs, { member, isSync: true }))
  }
  if (acknowledgedUs !== null && acknowledgedUs >= decidedUs) {
    const leftUs = settledUs ?? acknowledgedUs
    steps.push(step('acknowledge', member, COORDINATOR, leftUs, acknowledgedUs, { member }))
  }
  return steps
}

/** The decision, and its answer. An abort is not written: a round without a recorded decision is aborted. */
function decision(round: Round): Step[] {
  const decidedUs = round.decided_after_us ?? null
  const lastVoteUs = Math.max(0, ...round.votes.map(({ after_us }) => after_us ?? 0))
  if (decidedUs === null) {
    const isUnanimous = round.votes.length > 0 && round.votes.every(({ vote }) => vote === 'commit')
    return isUnanimous
      ? [step('decide', COORDINATOR, null, lastVoteUs, null, { isSync: true })]
      : []
  }
  const isSync = round.outcome === 'committed'
  const beginsUs = isSync ? Math.min(lastVoteUs, decidedUs) : decidedUs
  return [
    step('decide', COORDINATOR, null, beginsUs, decidedUs, { isSync }),
    step('answer', COORDINATOR, APP_SERVER, decidedUs, decidedUs),
  ]
}
