/** The cluster, its rounds and this server's working copy, kept fresh by events. */
import { useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { listLocalChanges, listRounds, readCluster, type RoundOutcome } from '@/api/cluster'
import type { Round } from '@/api/types'

/** In case that no event tells of a change, for instance while the stream is down. */
const CLUSTER_POLL_MS = 10_000
const ROUNDS_PER_PAGE = 25

export function useCluster() {
  return useQuery({
    queryKey: ['cluster'],
    queryFn: readCluster,
    refetchInterval: CLUSTER_POLL_MS,
  })
}

export function useLocalChanges() {
  return useQuery({ queryKey: ['replications'], queryFn: listLocalChanges })
}

export function useRounds(outcome: Ref<RoundOutcome | null>) {
  const list = useInfiniteQuery({
    queryKey: ['rounds', outcome],
    queryFn: ({ pageParam }) => listRounds(ROUNDS_PER_PAGE, outcome.value, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  })
  const rounds = computed<Round[]>(() => {
    const byId = new Map<string, Round>()
    for (const page of list.data.value?.pages ?? []) {
      for (const round of page.items) byId.set(round.id, round)
    }
    return [...byId.values()]
  })
  return { ...list, rounds }
}
