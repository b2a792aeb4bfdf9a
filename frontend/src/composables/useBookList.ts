/**
 * The list of books in blocks by place, of which only those near the rows in sight are loaded: a jump into the middle of a
 * long list costs one request. Every answer says which list it belongs to, so a late answer to a query that was typed over
 * is never shown.
 */
import { queryOptions, useQueries, useQueryClient } from '@tanstack/vue-query'
import { computed, shallowRef, watch, watchSyncEffect, type Ref } from 'vue'
import { listBooks, type BookQuery } from '@/api/books'
import type { Book } from '@/api/types'

/** Small, so that something is on the screen at once. */
const BLOCK_BOOKS = 100
/** Rows so near to those in sight are loaded, too. */
const NEAR_ROWS = 50

interface Shown {
  query: BookQuery
  total: number
  blocks: ReadonlyMap<number, Book[]>
}

export function useBookList(query: Ref<BookQuery>) {
  const queries = useQueryClient()
  const inSight = shallowRef({ first: 0, last: 0 })
  // Another search begins at its top.
  watch(query, () => reach(0, 0))

  const wanted = computed(() => {
    const first = Math.max(inSight.value.first - NEAR_ROWS, 0)
    const last = inSight.value.last + NEAR_ROWS - 1
    return range(blockOf(first), blockOf(last)).map((block) => optionsOf(query.value, block))
  })
  const answers = useQueries({ queries: wanted })

  /** What there is of the list that is asked for; as long as that is nothing, what was shown before. */
  const shown = shallowRef<Shown | null>(null)
  watchSyncEffect(() => {
    const loaded = answers.value
      .flatMap(({ data, dataUpdatedAt }) => (data ? [{ ...data, dataUpdatedAt }] : []))
      .filter((answer) => isSame(answer.query, query.value))
      .sort((one, other) => one.dataUpdatedAt - other.dataUpdatedAt)
    const newest = loaded.at(-1)
    if (!newest) return
    const blocks = new Map(loaded.map(({ block, books }) => [block, books]))
    shown.value = { query: query.value, total: newest.total, blocks }
  })

  function bookAt(index: number): Book | null {
    return shown.value?.blocks.get(blockOf(index))?.[index % BLOCK_BOOKS] ?? null
  }

  /** These rows are in sight: they and their neighbours are loaded. */
  function reach(first: number, last: number): void {
    if (first !== inSight.value.first || last !== inSight.value.last) {
      inSight.value = { first, last }
    }
  }

  /** The books of these rows, loaded or not, one block after the other. */
  async function* between(first: number, last: number): AsyncGenerator<Book[]> {
    for (const block of range(blockOf(first), blockOf(last))) {
      const { books } = await queries.ensureQueryData(optionsOf(query.value, block))
      const start = block * BLOCK_BOOKS
      yield books.slice(Math.max(first - start, 0), last - start + 1)
    }
  }

  const failed = computed(() => answers.value.find(({ error }) => error))

  return {
    bookAt,
    between,
    reach,
    total: computed(() => shown.value?.total ?? null),
    error: computed(() => failed.value?.error ?? null),
    /** Why the answer takes so long, if an attempt has failed. */
    failureReason: computed(
      () => answers.value.find(({ failureReason }) => failureReason)?.failureReason ?? null,
    ),
    isPending: computed(() => shown.value === null && !failed.value),
    /** What is shown belongs to the search before. */
    isSearching: computed(() => shown.value !== null && !isSame(shown.value.query, query.value)),
    retry: () => queries.refetchQueries({ queryKey: ['books', 'list'], type: 'active' }),
  }
}

function optionsOf(query: BookQuery, block: number) {
  return queryOptions({
    queryKey: ['books', 'list', query, block],
    queryFn: async ({ signal }) => {
      const page = { offset: block * BLOCK_BOOKS, limit: BLOCK_BOOKS }
      const { items, total } = await listBooks(query, page, signal)
      return { query, block, books: items, total }
    },
  })
}

function blockOf(index: number): number {
  return Math.floor(index / BLOCK_BOOKS)
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, place) => first + place)
}

function isSame(one: BookQuery, other: BookQuery): boolean {
  return one.q === other.q && one.sort === other.sort && one.order === other.order
}
