/**
 * Problems (RFC 9457) as values: what a refused or failed request said, in a shape that is complete
 * even when the answer was not. Called by everything in `api/`; knows nothing of the page.
 */
import type { FieldError, RowError, Vote } from './types'

export interface Problem {
  /** The last part of `type`, such as `invalid-book`; empty if the answer was no problem document. */
  kind: string
  status: number
  title: string
  /** One sentence for a person; empty if the answer carried none. */
  detail: string
  errors: FieldError[]
  votes: Vote[]
  round: string | null
  change: string | null
  failed: RowError[]
  retryAfterSeconds: number | null
}

/** The server answered, and the answer was a refusal or a failure. */
export class ApiError extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail || problem.title)
    this.name = 'ApiError'
    this.problem = problem
  }
}

/** No answer came: whether the server did what was asked is not known. */
export class NoAnswer extends Error {
  constructor(cause: unknown) {
    super('no answer', { cause })
    this.name = 'NoAnswer'
  }
}

/** Reads the problem out of an answer's body, whatever it holds. */
export function problemOf(body: unknown, response: Response): Problem {
  const members = isRecord(body) ? body : {}
  return {
    kind: text(members.type).split('/').pop() ?? '',
    status: response.status,
    title: text(members.title) || response.statusText,
    detail: text(members.detail),
    errors: list<FieldError>(members.errors, 'message'),
    votes: list<Vote>(members.votes, 'vote'),
    round: text(members.round) || null,
    change: text(members.change) || null,
    failed: list<RowError>(members.failed, 'error'),
    retryAfterSeconds: retryAfterSeconds(response),
  }
}

function retryAfterSeconds(response: Response): number | null {
  const value = response.headers.get('Retry-After')
  if (value === null || value.trim() === '') return null
  const seconds = Number(value)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function list<Item>(value: unknown, member: string): Item[] {
  if (!Array.isArray(value)) return []
  return value.filter((item) => isRecord(item) && member in item) as Item[]
}
