/** Scrubs: what every replicator found in its own files, kept fresh by events; starting a pass; and a pass in words. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { useI18n } from 'vue-i18n'
import { listScrubs, startScrubs } from '@/api/cluster'
import type { Scrub } from '@/api/types'
import { useFormat } from './useFormat'

const POLL_MS = 1_000
export const SCRUBS_KEY = ['cluster', 'scrubs']

export function useScrubs() {
  return useQuery({
    queryKey: SCRUBS_KEY,
    queryFn: listScrubs,
    // A pass counts its files without an event for each.
    refetchInterval: (query) =>
      query.state.data?.items.some(({ running }) => running) ? POLL_MS : false,
  })
}

export function useStartScrubs() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: startScrubs,
    onSuccess: () => queries.invalidateQueries({ queryKey: SCRUBS_KEY }),
  })
}

/** What a pass found, in a sentence. What could not be compared is never told as clean. */
export function useScrubWords() {
  const { t } = useI18n()
  const { number, clock } = useFormat()

  return function words(scrub: Scrub): { text: string; tone: 'good' | 'warn' | 'bad' } {
    const at = clock(scrub.finished_at)
    const damaged = scrub.damaged + scrub.stale + scrub.extra
    const uncompared = scrub.unknown + scrub.changing
    const [key, count, tone] = damaged
      ? (['member.scrubDamage', damaged, 'bad'] as const)
      : uncompared
        ? (['member.scrubIncomplete', uncompared, 'warn'] as const)
        : (['member.scrubClean', scrub.clean, 'good'] as const)
    return { text: t(key, { at, count: number(count) }, count), tone }
  }
}
