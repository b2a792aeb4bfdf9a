/** A `fetch` for tests: answers are given by the test, in its order and at its time. */
import { vi } from 'vitest'

export interface Asked {
  request: Request
  answer: (status: number, body?: unknown, headers?: Record<string, string>) => void
  fail: () => void
}

/** Puts a `fetch` in place that holds every request until the test answers it. */
export function holdRequests(): Asked[] {
  const asked: Asked[] = []
  vi.stubGlobal(
    'fetch',
    (request: Request) =>
      new Promise<Response>((resolve, reject) => {
        asked.push({
          request,
          answer: (status, body, headers) => resolve(response(status, body, headers)),
          fail: () => reject(new TypeError('Failed to fetch')),
        })
      }),
  )
  return asked
}

export function response(
  status: number,
  body?: unknown,
  headers: Record<string, string> = {},
): Response {
  const text = body === undefined ? null : JSON.stringify(body)
  return new Response(text, { status, headers: { 'Content-Type': 'application/json', ...headers } })
}
