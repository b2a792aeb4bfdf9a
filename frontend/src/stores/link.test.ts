import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { useLink } from './link'

beforeEach(() => setActivePinia(createPinia()))

describe('the link', () => {
  it('is stale exactly while answers say so', () => {
    const link = useLink()
    link.noteAnswer({ version: 4, staleSince: '2026-11-20T10:00:00.000Z' })
    expect(link.staleSince).toBe('2026-11-20T10:00:00.000Z')
    link.noteAnswer({ version: 4, staleSince: null })
    expect(link.staleSince).toBeNull()
  })

  it('never shows an older version after a newer one', () => {
    const link = useLink()
    link.noteAnswer({ version: 9, staleSince: null })
    link.noteAnswer({ version: 8, staleSince: null })
    link.noteAnswer({ version: null, staleSince: null })
    expect(link.version).toBe(9)
  })

  it('keeps the newest events and forgets the oldest', () => {
    const link = useLink()
    for (let n = 0; n < 1_000; n++) {
      link.noteEvent({ id: String(n), name: 'round', at: '', round: null, text: '' })
    }
    expect(link.events[0]?.id).toBe('999')
    expect(link.events).toHaveLength(200)
  })
})
