import type { Ballot, RestoredFile } from '@/api/types'

export interface BallotRow {
  member: string
  /** Null for a copy that has no vote, such as the app-server's. */
  ballot: Ballot | null
  action: RestoredFile['actions'][number] | null
}

/** One row per member that voted or whose copy was touched, in the order of the ballot. */
export function ballotRows(file: RestoredFile): BallotRow[] {
  const actions = new Map(file.actions.map((action) => [action.member, action]))
  const voted = new Set(file.ballot.map(({ member }) => member))
  const voters = file.ballot.map((ballot) => ({
    member: ballot.member,
    ballot,
    action: actions.get(ballot.member) ?? null,
  }))
  const others = file.actions
    .filter(({ member }) => !voted.has(member))
    .map((action) => ({ member: action.member, ballot: null, action }))
  return [...voters, ...others]
}
