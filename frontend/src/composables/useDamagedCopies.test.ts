import { QueryClient } from '@tanstack/vue-query'
import { flushPromises } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import type { MemberScrubs } from '@/api/types'
import { holdRequests } from '@/testing/answers'
import { clusterOf, memberOf, scrubOf } from '@/testing/cluster'
import { runInPage } from '@/testing/mounting'
import { damagedCopies, useDamagedCopies } from './useDamagedCopies'

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

  it('are asked for only while there are any, and forgotten when there are none', async () => {
    const asked = holdRequests()
    const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } })
    const found = (damaged: number) =>
      clusterOf({ members: [memberOf({ scrub: scrubOf({ damaged }) })] })
    queries.setQueryData(['cluster'], found(0))
    const { result, stop } = runInPage(useDamagedCopies, queries)
    await flushPromises()
    expect(asked).toHaveLength(0)

    queries.setQueryData(['cluster'], found(1))
    await flushPromises()
    const items = [passOf('replicator-1', [['books/1c/a.xml', 'damaged']])]
    asked[0]!.answer(200, { items, next: null, total: 1 })
    await flushPromises()
    expect([...result.value.keys()]).toEqual(['a'])

    queries.setQueryData(['cluster'], found(0))
    await flushPromises()
    expect(result.value.size).toBe(0)
    stop()
  })
})
