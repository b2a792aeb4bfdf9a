import { describe, expect, it, vi } from 'vitest'
import { response } from '@/testing/answers'
import { createBook, deleteBook, replaceBook } from './books'
import { servers } from './servers'
import { askChange } from './write'

const book = { title: 'Emma', authors: [{ name: 'Jane', surname: 'Austen' }] }

function answerWith(...answers: Response[]) {
  const requests: Request[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    requests.push(request)
    return answers.shift()
  })
  return requests
}

describe('the outcome of a write', () => {
  it('is committed with the version of the book', async () => {
    answerWith(response(201, { ...book, version: 12 }))
    expect(await createBook(book, 'k')).toMatchObject({ kind: 'committed', version: 12 })
  })

  it('is committed with the version of the header where there is no body', async () => {
    answerWith(response(204, undefined, { 'Concordance-Version': '13' }))
    expect(await deleteBook('b', 'd', 'k')).toEqual({
      kind: 'committed',
      version: 13,
      value: null,
    })
  })

  it('is aborted with reason, round and votes', async () => {
    const votes = [{ member: 'replicator-1', vote: 'abort', reason: 'disk full' }]
    answerWith(
      response(409, { type: '/problems/aborted', detail: 'Aborted.', round: '3-1', votes }),
    )
    expect(await createBook(book, 'k')).toEqual({
      kind: 'aborted',
      reason: 'Aborted.',
      round: '3-1',
      votes,
    })
  })

  it('is unknown after 202, under the id that the answer gives', async () => {
    answerWith(response(202, { change: 'c 1', state: 'unknown', detail: 'Not decided.' }))
    expect(await createBook(book, 'k')).toEqual({
      kind: 'unknown',
      change: 'c 1',
      detail: 'Not decided.',
    })
    answerWith(response(202, undefined, { Location: '/api/v1/changes/c%202' }))
    expect(await createBook(book, 'k')).toMatchObject({ kind: 'unknown', change: 'c 2' })
  })

  it('is unknown where one server gave no answer and the next one cannot take it at present', async () => {
    vi.spyOn(servers, 'cameAfterSilence').mockReturnValue(true)
    const busy = { type: '/problems/no-quorum', detail: 'replicator-2 is down.' }
    answerWith(response(503, busy))
    const detail = 'replicator-2 is down.'
    expect(await createBook(book, 'k')).toEqual({ kind: 'unknown', change: null, detail })
    answerWith(response(422, { type: '/problems/invalid-book' }))
    expect(await createBook(book, 'k')).toMatchObject({ kind: 'refused' })
  })

  it('is unknown, never a failure, when no answer comes', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')))
    expect(await createBook(book, 'k')).toEqual({ kind: 'unknown', change: null, detail: '' })
  })

  it('is unknown when the answer is a broken one', async () => {
    for (const status of [500, 502, 503, 504]) {
      answerWith(new Response('<html>', { status }))
      expect((await createBook(book, 'k')).kind).toBe('unknown')
    }
    answerWith(new Response('{"id":', { status: 201 }))
    expect((await createBook(book, 'k')).kind).toBe('unknown')
  })

  it('is refused when the server says that it began no round', async () => {
    for (const [status, kind] of [
      [503, 'no-quorum'],
      [503, 'queue-full'],
      [412, 'precondition-failed'],
      [404, 'not-found'],
      [422, 'invalid-book'],
      [422, 'key-reused'],
    ] as const) {
      answerWith(response(status, { type: `/problems/${kind}` }))
      expect(await createBook(book, 'k')).toMatchObject({ kind: 'refused', problem: { kind } })
    }
  })
})

describe('a write', () => {
  it('carries its key, and the digest that it replaces', async () => {
    const requests = answerWith(response(200, book))
    await replaceBook('b1', 'abc', book, 'key-1')
    expect(requests[0]?.method).toBe('PUT')
    expect(requests[0]?.headers.get('Idempotency-Key')).toBe('key-1')
    expect(requests[0]?.headers.get('If-Match')).toBe('"abc"')
  })
})

describe('asking for a change', () => {
  it('says committed with the version', async () => {
    answerWith(response(200, { change: 'c', state: 'committed', version: 5 }))
    expect(await askChange('c')).toMatchObject({ kind: 'committed', version: 5 })
  })

  it('says aborted with the votes of its round', async () => {
    const votes = [{ member: 'replicator-3', vote: 'abort' }]
    answerWith(
      response(200, { change: 'c', state: 'aborted', round: '3-9', detail: 'Refused.' }),
      response(200, { id: '3-9', votes }),
    )
    expect(await askChange('c')).toEqual({
      kind: 'aborted',
      reason: 'Refused.',
      round: '3-9',
      votes,
    })
  })

  it('says aborted also when the round is not kept any more', async () => {
    answerWith(
      response(200, { change: 'c', state: 'aborted', round: '3-9', detail: 'Refused.' }),
      response(404, { type: '/problems/not-found' }),
    )
    expect(await askChange('c')).toMatchObject({ kind: 'aborted', votes: [] })
  })
})
