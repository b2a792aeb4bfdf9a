import { describe, expect, it } from 'vitest'
import type { Cluster, Member } from '@/api/types'
import { clusterOf, memberOf, scrubOf } from '@/testing/cluster'
import { damagedFiles, problemsOf, roundsInDoubt } from './clusterProblems'

/** Three replicators, the third of which is changed. */
function withThird(changes: Partial<Member>, more: Partial<Cluster> = {}): Cluster {
  const [first, second] = ['replicator-1', 'replicator-2'].map((id) => memberOf({ id }))
  return clusterOf({
    members: [first!, second!, memberOf({ id: 'replicator-3', ...changes })],
    ...more,
  })
}

const kinds = (cluster: Cluster) => problemsOf(cluster).map(({ kind, tone }) => `${kind}: ${tone}`)
const commands = (cluster: Cluster) =>
  problemsOf(cluster).flatMap(({ steps }) => steps.flatMap(({ command }) => command ?? []))
const down: Partial<Member> = { state: 'down', connected: false }
const unreachable = { connected: false, since: '2026-11-20T10:00:00.000Z', address: null }

describe('the problems of a cluster', () => {
  it('are none where all is well', () => {
    expect(problemsOf(clusterOf())).toEqual([])
    expect(problemsOf(withThird({ scrub: scrubOf() }))).toEqual([])
  })

  it('name how a replicator that is down is started, or sent away', () => {
    expect(kinds(withThird(down))).toEqual(['down: bad'])
    expect(commands(withThird(down))).toEqual([
      'replicator --id replicator-3 --coordinator ws://127.0.0.1:7410',
      'concordance member remove replicator-3',
    ])
    expect(kinds(withThird({ ...down, role: 'observer' }))).toEqual(['down: warn'])
  })

  it('take from the address of the coordinator what a replicator dials', () => {
    const at = (address: string | null) =>
      commands(withThird(down, { coordinator: { ...clusterOf().coordinator, address } }))[0]
    expect(at('ws://10.0.0.7:7410/v1/app-servers')).toContain('--coordinator ws://10.0.0.7:7410')
    expect(at(null)).toContain('--coordinator ws://HOST:7410')
  })

  it('say first that too few are in sync for a write', () => {
    const refusing = { accepting_writes: false, why_not: 'every replicator is needed' }
    const cluster = withThird(down, refusing)
    expect(kinds(cluster)).toEqual(['too_few: bad', 'down: bad'])
    expect(problemsOf(cluster)[0]).toMatchObject({ inSync: 2, needed: 3 })
    const lenient = withThird(down, { ...refusing, commit_policy: 'in-sync' })
    expect(kinds(lenient)).toEqual(['not_accepting: bad', 'down: bad'])
    expect(
      kinds(withThird(down, { ...refusing, commit_policy: 'in-sync', min_in_sync: 3 })),
    ).toEqual(['too_few: bad', 'down: bad'])
  })

  it('count only those that vote', () => {
    const observer = withThird(
      { role: 'observer' },
      { accepting_writes: false, why_not: 'the coordinator’s disk is full' },
    )
    expect(kinds(observer)).toEqual(['not_accepting: bad'])
  })

  it('lead to the round that a replicator is in doubt about', () => {
    const cluster = withThird({
      in_doubt_since: '2026-11-20T10:00:00.000Z',
      in_doubt_round: '3-17',
    })
    expect(problemsOf(cluster)).toMatchObject([
      { kind: 'in_doubt', tone: 'warn', member: { in_doubt_round: '3-17' } },
    ])
    expect(commands(cluster)).toEqual(['concordance rounds --in-doubt'])
    expect(roundsInDoubt(cluster)).toBe(1)
  })

  it('name the files that a scrub found, and never call clean what was not compared', () => {
    const cluster = withThird({ scrub: scrubOf({ clean: 27, damaged: 1, stale: 1, unknown: 1 }) })
    expect(problemsOf(cluster)).toMatchObject([
      { kind: 'damaged', tone: 'bad', files: [{ member: 'replicator-3', count: 2 }] },
    ])
    expect(damagedFiles(cluster)).toBe(2)
    expect(kinds(withThird({ scrub: scrubOf({ clean: 29, changing: 1 }) }))).toEqual([
      'not_compared: warn',
    ])
    expect(damagedFiles(clusterOf())).toBeNull()
  })

  it('ask for nothing where somebody catches up', () => {
    expect(kinds(withThird({ state: 'catching_up' }))).toEqual(['catching_up: warn'])
    const server = { ...clusterOf().app_server, level: false }
    const cluster = clusterOf({ app_server: server, accepting_writes: false })
    expect(kinds(cluster)).toEqual(['behind: warn'])
    expect(commands(cluster)).toEqual([])
  })

  it('are only what is on the disks while the coordinator cannot be reached', () => {
    const cluster = withThird(
      { ...down, scrub: scrubOf({ damaged: 1 }) },
      { coordinator: unreachable, accepting_writes: false, why_not: 'It cannot be reached.' },
    )
    expect(kinds(cluster)).toEqual(['unreachable: bad', 'damaged: bad'])
    expect(commands(cluster)).toEqual([
      'coordinator --members replicator-1,replicator-2,replicator-3',
      'concordance recover',
    ])
  })

  it('have commands for this very cluster', () => {
    const app_servers = [{ id: 'app-server-1', address: 'http://10.0.0.9:7400', connected: true }]
    const damaged = withThird({ scrub: scrubOf({ damaged: 1 }) }, { app_servers })
    expect(commands(damaged)[1]).toBe('concordance restore --server http://10.0.0.9:7400')
    const coordinator = { ...unreachable, address: 'ws://10.0.0.7:7410/v1/app-servers' }
    expect(commands(clusterOf({ coordinator }))[1]).toBe(
      'concordance recover --coordinator http://10.0.0.7:7410',
    )
  })

  it('tell a coordinator that asks for help from one that is gone', () => {
    const reason = 'the coordinator is not sure of its log; see: concordance recover'
    const asking = { accepting_writes: false, why_not: reason }
    for (const cluster of [clusterOf(asking), clusterOf({ ...asking, coordinator: unreachable })]) {
      expect(problemsOf(cluster)).toMatchObject([{ kind: 'needs_help', reason }])
      expect(commands(cluster)).toEqual(['concordance recover'])
    }
  })
})
