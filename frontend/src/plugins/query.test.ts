import { describe, expect, it } from 'vitest'
import { ApiError, NoAnswer, problemOf } from '@/api/problem'
import { response } from '@/testing/answers'
import { retryDelayMs, shouldRetry } from './query'

function refused(status: number, headers: Record<string, string> = {}) {
  return new ApiError(problemOf({}, response(status, {}, headers)))
}

describe('a read that failed', () => {
  it('is asked again as long as the server is getting ready', () => {
    expect(shouldRetry(50, refused(503))).toBe(true)
    expect(retryDelayMs(50, refused(503, { 'Retry-After': '2' }))).toBe(2_000)
  })

  it('is not asked again when the server refused it', () => {
    expect(shouldRetry(0, refused(404))).toBe(false)
    expect(shouldRetry(0, refused(422))).toBe(false)
  })

  it('is asked a few more times when no answer came, ever more slowly', () => {
    const silence = new NoAnswer(new TypeError())
    expect(shouldRetry(2, silence)).toBe(true)
    expect(shouldRetry(3, silence)).toBe(false)
    expect(retryDelayMs(1, silence)).toBeGreaterThan(retryDelayMs(0, silence))
  })

  it('waits never longer than a person would', () => {
    expect(retryDelayMs(0, refused(503, { 'Retry-After': '3600' }))).toBe(5_000)
  })
})
