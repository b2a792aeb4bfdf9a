import { afterEach, describe, expect, it } from 'vitest'
import type { Cluster } from '@/api/types'
import { clusterOf, memberOf, scrubOf } from '@/testing/cluster'
import { mountInPage } from '@/testing/mounting'
import MemberList from './MemberList.vue'

const member = memberOf({ version: 40 })
const cluster = clusterOf({ members: [member] })
const unreachable = { connected: false, since: '2026-11-20T10:00:00.000Z', address: null }

afterEach(() => void (document.body.innerHTML = ''))

function textOf(changes: Partial<Cluster>): string {
  return mountInPage(MemberList, { cluster: { ...cluster, ...changes } }).text()
}

describe('the list of replicators', () => {
  it('says in plain words what a member in doubt waits for', () => {
    const inDoubt = {
      ...member,
      in_doubt_since: '2026-11-20T10:00:00.000Z',
      in_doubt_round: '3-17',
    }
    expect(textOf({ members: [inDoubt] })).toMatch(/In doubt since .*voted commit in round 3-17/)
    expect(textOf({})).not.toContain('In doubt')
  })

  it('says how far a member is behind', () => {
    expect(textOf({})).toContain('2 behind')
  })

  it('says what the last scrub found, and never calls clean what could not be compared', () => {
    const told = (found: Parameters<typeof scrubOf>[0]) =>
      textOf({ members: [{ ...member, scrub: scrubOf(found) }] })
    expect(told({})).toContain('All 30 files read')
    expect(told({ clean: 29, unknown: 1 })).toContain('1 could not be compared')
    expect(told({ clean: 27, damaged: 1, stale: 1, unknown: 1 })).toContain('2 damaged')
    expect(textOf({})).not.toContain('read at')
  })

  it('says that it shows the last known state while the coordinator cannot be reached', () => {
    expect(textOf({ coordinator: unreachable })).toContain('As last known')
    expect(textOf({})).not.toContain('As last known')
  })

  it('says the role of each, and when one that is away was last seen', () => {
    const away = { ...member, connected: false, last_seen: '2026-11-20T10:00:00.000Z' }
    expect(textOf({ members: [{ ...away, role: 'observer' }] })).toMatch(/Observes.*last seen/)
    expect(textOf({})).toContain('Votes')
    expect(textOf({})).not.toContain('last seen')
  })

  it('says how far one is brought level', () => {
    const catch_up = { to: 42, files_sent: 30, files_left: 12, bytes_sent: 2048 }
    const text = textOf({ members: [{ ...member, state: 'catching_up', catch_up }] })
    expect(text).toContain('Brought to version 42: 30 files sent (2 KiB), 12 to go.')
  })

  it('offers to change an observer into a voter and the other way round, naming the member', () => {
    const page = mountInPage(MemberList, {
      cluster: {
        ...cluster,
        members: [member, { ...member, id: 'replicator-2', role: 'observer' }],
      },
    })
    const labels = page.findAll('.orders button').map((button) => button.attributes('aria-label'))
    expect(labels).toEqual([
      'Demote replicator-1',
      'Remove replicator-1',
      'Promote replicator-2',
      'Remove replicator-2',
    ])
  })

  it('offers no change while the coordinator cannot be reached', () => {
    const page = mountInPage(MemberList, {
      cluster: { ...cluster, coordinator: unreachable },
    })
    expect(page.findAll('.orders button')).toEqual([])
    expect(page.get('[data-testid=member-add]').attributes('disabled')).toBeDefined()
  })

  it('says what to do when there is no replicator', () => {
    expect(textOf({ members: [] })).toContain('No replicator is registered yet')
  })
})
