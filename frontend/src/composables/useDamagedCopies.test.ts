import { describe, expect, it } from 'vitest'
import type { MemberScrubs } from '@/api/types'
import { scrubOf } from '@/testing/cluster'
import { damagedCopies } from './useDamagedCopies'

function passOf(member: string, findings: [string, 'damaged' | 'stale' | 'extra'][]): MemberScrubs {
  const named = findings.map(([name, outcome]) => ({ name, outcome, detail: null }))
  return { member, connected: true, last: { ...scrubOf(), findings: named }, running: null }
}

describe('damaged copies of books', () => {
  it('are gathered from what every replicator’s last scrub has found', () => {
    const copies = damagedCopies([
      passOf('replicator-1', [['books/1c/a.xml', 'damaged']]),
      passOf('replicator-2', [
        ['books/1c/a.xml', 'stale'],
        ['books/2d/b.xml', 'damaged'],
      ]),
      { member: 'replicator-3', connected: true, last: null, running: null },
    ])
    expect([...copies]).toEqual([
      ['a', ['replicator-1', 'replicator-2']],
      ['b', ['replicator-2']],
    ])
  })

  it('are none of files that no book has', () => {
    const copies = damagedCopies([
      passOf('replicator-1', [
        ['books/1c/a.xml', 'extra'],
        ['notes.txt', 'extra'],
      ]),
    ])
    expect(copies.size).toBe(0)
  })
})
