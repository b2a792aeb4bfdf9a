/** How everything stands that the lab can change; asked for again at every event of the lab, of members and of links. */
import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { onScopeDispose, watch } from 'vue'
import { readLab } from '@/api/lab'
import { useLink } from '@/stores/link'

/** A process that dies tells nobody. */
const POLL_MS = 1_500
/** Messages are held and released by the dozen. */
const REST_MS = 100

const EVENTS = ['lab', 'member', 'view', 'link']

export function useLab() {
  const link = useLink()
  const queries = useQueryClient()
  const lab = useQuery({ queryKey: ['lab'], queryFn: readLab, refetchInterval: POLL_MS })
  let timer: ReturnType<typeof setTimeout> | undefined

  function refresh(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      void queries.invalidateQueries({ queryKey: ['lab'] })
    }, REST_MS)
  }

  watch(
    () => link.events[0],
    (newest) => {
      if (newest && EVENTS.includes(newest.name)) refresh()
    },
  )
  onScopeDispose(() => clearTimeout(timer))

  return { ...lab, refresh }
}
