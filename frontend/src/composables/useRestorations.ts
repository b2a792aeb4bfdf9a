/** Restorations: the history, one report, and starting another. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import type { Ref } from 'vue'
import { listRestorations, readRestoration, startRestoration } from '@/api/restorations'

const POLL_MS = 600

export function useRestorationHistory() {
  return useQuery({ queryKey: ['restorations'], queryFn: listRestorations })
}

/** One report; asked for again and again while it runs. */
export function useRestoration(id: Ref<string | null>) {
  return useQuery({
    queryKey: ['restorations', 'one', id],
    queryFn: () => readRestoration(id.value!),
    enabled: () => id.value !== null,
    refetchInterval: (query) => (query.state.data?.state === 'running' ? POLL_MS : false),
  })
}

export function useStartRestoration(onStarted: (id: string) => void) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (dryRun: boolean) => startRestoration(dryRun),
    onSuccess(id) {
      onStarted(id)
      return queries.invalidateQueries({ queryKey: ['restorations'] })
    },
  })
}
