/** Books of which a replicator's last scrub has found a damaged or stale file, with those replicators. */
import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import { listScrubs } from '@/api/cluster'
import type { MemberScrubs } from '@/api/types'
import { useCluster } from './useCluster'
import { SCRUBS_KEY } from './useScrubs'

export function useDamagedCopies() {
  const { data: cluster } = useCluster()
  // Nearly always there is nothing to ask for.
  const isDamaged = computed(
    () => !!cluster.value?.members.some(({ scrub }) => scrub && scrub.damaged + scrub.stale > 0),
  )
  const { data } = useQuery({ queryKey: SCRUBS_KEY, queryFn: listScrubs, enabled: isDamaged })
  return computed(() => damagedCopies(isDamaged.value ? (data.value?.items ?? []) : []))
}

export function damagedCopies(scrubs: MemberScrubs[]): ReadonlyMap<string, string[]> {
  const copies = new Map<string, string[]>()
  for (const { member, last } of scrubs) {
    for (const { name, outcome } of last?.findings ?? []) {
      const id = /^books\/[0-9a-f]{2}\/(.+)\.xml$/.exec(name)?.[1]
      if (!id || outcome === 'extra') continue
      copies.set(id, [...(copies.get(id) ?? []), member])
    }
  }
  return copies
}
