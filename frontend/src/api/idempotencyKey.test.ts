import { describe, expect, it, vi } from 'vitest'
import { freshKey, KeyKeeper } from './idempotencyKey'

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('freshKey', () => {
  it('is a random UUID', () => {
    expect(freshKey()).toMatch(UUID_V4)
    expect(freshKey()).not.toBe(freshKey())
  })

  it('works where the page is not served securely', () => {
    const getRandomValues = crypto.getRandomValues.bind(crypto)
    vi.stubGlobal('crypto', { getRandomValues })
    expect(freshKey()).toMatch(UUID_V4)
    expect(freshKey()).not.toBe(freshKey())
  })
})

describe('KeyKeeper', () => {
  it('gives the same content the same key, and other content another', () => {
    const keys = new KeyKeeper()
    const first = keys.keyFor('a')
    expect(keys.keyFor('a')).toBe(first)
    expect(keys.keyFor('b')).not.toBe(first)
  })

  it('gives a new key once the outcome of the old one is final', () => {
    const keys = new KeyKeeper()
    const first = keys.keyFor('a')
    keys.forget()
    expect(keys.keyFor('a')).not.toBe(first)
  })
})
