/**
 * Gives typed requests, turns refusals into `ApiError` and silence into `NoAnswer`, and tells an observer
 * what every answer says about the state that it shows. Which server is asked is `servers`' to say.
 */
import createClient from 'openapi-fetch'
import { ApiError, NoAnswer, problemOf } from './problem'
import type { paths } from './schema'
import { servers } from './servers'

/** What an answer's headers say about the state it was read from. */
export interface AnswerState {
  version: number | null
  /** Since when the coordinator cannot be reached; null while it can. */
  staleSince: string | null
}

type AnswerObserver = (state: AnswerState) => void

let observer: AnswerObserver = () => {}

/** Registers the one observer of answers' headers. */
export function observeAnswers(next: AnswerObserver): void {
  observer = next
}

export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  fetch: (request) => servers.ask(request),
})

client.use({
  onResponse({ response }) {
    const version = response.headers.get('Concordance-Version')
    observer({
      version: version === null ? null : Number(version),
      staleSince: response.headers.get('Concordance-Stale'),
    })
  },
})

interface Answer<Data> {
  data?: Data
  error?: unknown
  response: Response
}

/** Waits for the answer to a read. Throws `ApiError` or `NoAnswer`; lets an abort through unchanged. */
export async function read<Data>(answer: Promise<Answer<Data>>): Promise<NonNullable<Data>> {
  const { data, error, response } = await answered(answer)
  if (!response.ok) throw new ApiError(problemOf(error, response))
  return data as NonNullable<Data>
}

/** Waits for any answer, good or bad. Throws only `NoAnswer`, or the abort of a superseded call. */
export async function answered<Data>(answer: Promise<Answer<Data>>): Promise<Answer<Data>> {
  try {
    return await answer
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'AbortError') throw cause
    throw new NoAnswer(cause)
  }
}
