import { describe, expect, it } from 'vitest'
import { response } from '@/testing/answers'
import { problemOf } from './problem'

describe('problemOf', () => {
  it('keeps what the answer says', () => {
    const body = {
      type: '/problems/aborted',
      title: 'Aborted',
      status: 409,
      detail: 'replicator-2 voted abort.',
      round: '3-17',
      votes: [{ member: 'replicator-2', vote: 'abort', reason: 'disk full' }],
    }
    const problem = problemOf(body, response(409, body))
    expect(problem).toMatchObject({
      kind: 'aborted',
      status: 409,
      detail: 'replicator-2 voted abort.',
      round: '3-17',
      votes: [{ member: 'replicator-2', vote: 'abort', reason: 'disk full' }],
    })
  })

  it('is complete when the answer is no problem document', () => {
    for (const body of ['<html>Bad gateway</html>', undefined, null, 7, [], { errors: 'none' }]) {
      expect(problemOf(body, response(502))).toMatchObject({
        kind: '',
        status: 502,
        detail: '',
        errors: [],
        votes: [],
        failed: [],
        round: null,
      })
    }
  })

  it('reads Retry-After in seconds and nothing else', () => {
    const seconds = (value: string) =>
      problemOf({}, response(503, {}, { 'Retry-After': value })).retryAfterSeconds
    expect(seconds('7')).toBe(7)
    expect(seconds('0')).toBe(0)
    expect(seconds('Fri, 20 Nov 2026 10:00:00 GMT')).toBeNull()
    expect(seconds('-3')).toBeNull()
    expect(problemOf({}, response(503)).retryAfterSeconds).toBeNull()
  })
})
