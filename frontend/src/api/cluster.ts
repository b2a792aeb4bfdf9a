/** Requests about the cluster: its members, its rounds, and this server's working copy. */
import { client, read } from './client'
import { servers } from './servers'
import { outcomeOf, type WriteOutcome } from './write'
import type { Cluster, LocalChange, MemberScrubs, Replication, Round } from './types'

export interface List<Item> {
  items: Item[]
  next: string | null
  total: number
}

export async function readCluster(): Promise<Cluster> {
  const cluster = await read(client.GET('/api/v1/cluster'))
  servers.learn(cluster)
  return cluster
}

export type RoundOutcome = Round['outcome']

export function listRounds(
  limit: number,
  outcome: RoundOutcome | null,
  cursor: string | null,
): Promise<List<Round>> {
  return read(
    client.GET('/api/v1/rounds', {
      params: {
        query: { limit, ...(outcome ? { outcome } : {}), ...(cursor ? { cursor } : {}) },
      },
    }),
  )
}

export function readRound(id: string): Promise<Round> {
  return read(client.GET('/api/v1/rounds/{id}', { params: { path: { id } } }))
}

/** What every replicator found when it read its files. */
export function listScrubs(): Promise<List<MemberScrubs>> {
  return read(client.GET('/api/v1/scrubs'))
}

/** Every replicator that is connected reads its files now. Gives how it was before. */
export function startScrubs(): Promise<List<MemberScrubs>> {
  return read(client.POST('/api/v1/scrubs'))
}

/** The files on this server's disk that are not what was committed: the first page, and how many in all. */
export function listLocalChanges(): Promise<List<LocalChange>> {
  return read(client.GET('/api/v1/replications'))
}

export function replicate(
  vote: 'commit' | 'abort',
  key: string,
): Promise<WriteOutcome<Replication>> {
  return outcomeOf<Replication>(
    client.POST('/api/v1/replications', {
      params: { header: { 'Idempotency-Key': key } },
      body: { vote },
    }),
  )
}
