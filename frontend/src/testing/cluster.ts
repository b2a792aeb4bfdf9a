/** Clusters for tests: all is well unless the test says otherwise. */
import type { Cluster, Member, Scrub } from '@/api/types'

export function memberOf(changes: Partial<Member> = {}): Member {
  return {
    id: 'replicator-1',
    role: 'voter',
    state: 'in_sync',
    connected: true,
    version: 42,
    in_doubt_since: null,
    in_doubt_round: null,
    address: '127.0.0.1:7421',
    detail: null,
    catch_up: null,
    last_seen: null,
    scrub: null,
    disk: { free_bytes: 12_300_000_000, total_bytes: 50_000_000_000 },
    ...changes,
  }
}

/** A full pass over 30 files. */
export function scrubOf(changes: Partial<Scrub> = {}): Scrub {
  return {
    started_at: '2026-11-20T10:00:00.000Z',
    finished_at: '2026-11-20T10:02:00.000Z',
    files: 30,
    bytes: 9000,
    clean: 30,
    damaged: 0,
    stale: 0,
    changing: 0,
    unknown: 0,
    extra: 0,
    detail: null,
    ...changes,
  }
}

export function clusterOf(changes: Partial<Cluster> = {}): Cluster {
  return {
    epoch: 3,
    version: 42,
    root: 'a3f1',
    min_in_sync: 2,
    commit_policy: 'all',
    accepting_writes: true,
    why_not: null,
    members: ['replicator-1', 'replicator-2', 'replicator-3'].map((id) => memberOf({ id })),
    coordinator: {
      connected: true,
      since: '2026-11-20T09:00:00.000Z',
      address: 'ws://127.0.0.1:7410',
    },
    app_server: { id: 'app-server-1', version: 42, level: true, books: 10, modified: 0 },
    app_servers: [],
    lab: false,
    ...changes,
  }
}
