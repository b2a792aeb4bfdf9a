/** Which list of books is shown: search and order. They live in the address, so that a reload or a link shows the same list. */
import { computed, ref, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import type { BookQuery } from '@/api/books'
import type { BookSort, SortOrder } from '@/api/types'
import { useDebounced } from './useDebounced'

const SEARCH_DELAY_MS = 200
const SORTS: BookSort[] = ['title', 'author', 'published', 'created']

export function useBookQuery() {
  const route = useRoute()
  const router = useRouter()
  const typed = ref(typeof route.query.q === 'string' ? route.query.q : '')
  const settled = useDebounced(typed, SEARCH_DELAY_MS)
  const sort = ref<BookSort>(SORTS.find((column) => column === route.query.sort) ?? 'title')
  const order = ref<SortOrder>(route.query.order === 'desc' ? 'desc' : 'asc')
  const query = computed<BookQuery>(() => ({
    q: settled.value.trim(),
    sort: sort.value,
    order: order.value,
  }))

  watch(query, ({ q, sort, order }) => {
    void router.replace({
      query: {
        ...(q ? { q } : {}),
        ...(sort === 'title' ? {} : { sort }),
        ...(order === 'asc' ? {} : { order }),
      },
    })
  })

  /** By another column, lowest first; by the same one, the other way round. */
  function sortBy(column: BookSort): void {
    order.value = column === sort.value && order.value === 'asc' ? 'desc' : 'asc'
    sort.value = column
  }

  return { typed, sort, order, query, sortBy }
}
