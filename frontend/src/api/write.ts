/**
 * Writes and their outcomes. A write ends in one of three ways: committed, aborted, or *unknown*; or it
 * was refused before any round and changed nothing. Silence and broken answers are unknown, never a
 * failure, because the change may yet commit.
 */
import { answered, client, read } from './client'
import { NoAnswer, problemOf, type Problem } from './problem'
import { servers } from './servers'
import type { Pending, Vote } from './types'

export type WriteOutcome<Value> =
  | { kind: 'committed'; version: number | null; value: Value | null }
  | { kind: 'aborted'; reason: string; round: string | null; votes: Vote[] }
  /** `change` is null when no answer named it: then only sending again with the same key can tell. */
  | { kind: 'unknown'; change: string | null; detail: string }
  | { kind: 'refused'; problem: Problem }

interface Answer {
  data?: unknown
  error?: unknown
  response: Response
}

/** Waits for the answer to a write and says how it ended. Does not throw. */
export async function outcomeOf<Value>(answer: Promise<Answer>): Promise<WriteOutcome<Value>> {
  try {
    const { data, error, response } = await answered(answer)
    if (response.status === 202) return unknownOutcome(data as Pending | undefined, response)
    if (response.ok) return committedOutcome<Value>(data, response)
    return failedOutcome(problemOf(error, response), servers.cameAfterSilence(response))
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return { kind: 'unknown', change: null, detail: '' }
  }
}

function committedOutcome<Value>(data: unknown, response: Response): WriteOutcome<Value> {
  const version = (data as { version?: number | null } | undefined)?.version
  const shown = response.headers.get('Concordance-Version')
  return {
    kind: 'committed',
    version: version ?? (shown === null ? null : Number(shown)),
    value: (data as Value | undefined) ?? null,
  }
}

function unknownOutcome(change: Pending | undefined, response: Response): WriteOutcome<never> {
  const location = response.headers.get('Location')?.split('/').pop()
  return {
    kind: 'unknown',
    change: change?.change ?? (location ? decodeURIComponent(location) : null),
    detail: change?.detail ?? '',
  }
}

function failedOutcome(problem: Problem, cameAfterSilence: boolean): WriteOutcome<never> {
  if (problem.status === 409 && problem.kind === 'aborted') {
    return { kind: 'aborted', reason: problem.detail, round: problem.round, votes: problem.votes }
  }
  // A server error that is not one of the named refusals says nothing about what was done before it.
  if (problem.status >= 500 && !(problem.status === 503 && problem.kind !== '')) {
    return { kind: 'unknown', change: problem.change, detail: problem.detail }
  }
  // This server has refused it for now; what the one did that gave no answer, it does not know.
  if (problem.status === 503 && cameAfterSilence) {
    return { kind: 'unknown', change: null, detail: problem.detail }
  }
  return { kind: 'refused', problem }
}

/** Asks how a change ended. Throws `ApiError` (404: it did not commit and waits nowhere) or `NoAnswer`. */
export async function askChange(change: string): Promise<WriteOutcome<never>> {
  const found = await read(client.GET('/api/v1/changes/{id}', { params: { path: { id: change } } }))
  switch (found.state) {
    case 'committed':
      return { kind: 'committed', version: found.version ?? null, value: null }
    case 'aborted':
      return {
        kind: 'aborted',
        reason: found.detail ?? '',
        round: found.round ?? null,
        votes: found.round ? await votesOf(found.round) : [],
      }
    default:
      return { kind: 'unknown', change, detail: found.detail ?? '' }
  }
}

/** The votes of a round; none if the coordinator no longer keeps it. */
async function votesOf(round: string): Promise<Vote[]> {
  try {
    const found = await read(client.GET('/api/v1/rounds/{id}', { params: { path: { id: round } } }))
    return found.votes
  } catch {
    return []
  }
}
