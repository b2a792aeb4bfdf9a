/**
 * The list of books, page by page. The pages of one query belong together under its key, so a late
 * answer to a query that was typed over lands where nobody looks and is never shown.
 */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, ref, watch, watchEffect, type Ref } from 'vue'
import { listBooks, type BookPage, type BookQuery } from '@/api/books'
import type { Book } from '@/api/types'

/** Small, so that something is on the screen at once. */
const FIRST_PAGE_BOOKS = 100
/** The largest page that the server gives: who scrolls far gets there in few requests. */
const NEXT_PAGE_BOOKS = 500

export function useBookList(query: Ref<BookQuery>) {
  const list = useInfiniteQuery({
    queryKey: ['books', query],
    queryFn: ({ pageParam, signal }) => listBooks(query.value, pageParam, signal),
    initialPageParam: { cursor: null, limit: FIRST_PAGE_BOOKS } as BookPage,
    getNextPageParam: (page): BookPage | null =>
      page.next === null ? null : { cursor: page.next, limit: NEXT_PAGE_BOOKS },
    placeholderData: keepPreviousData,
  })

  /** The loaded books in order, each once even if it moved between two pages while they were read. */
  const books = computed<Book[]>(() => {
    const seen = new Map<string, Book>()
    for (const page of list.data.value?.pages ?? []) {
      for (const book of page.items) if (!seen.has(book.id)) seen.set(book.id, book)
    }
    return [...seen.values()]
  })

  const total = computed(() => list.data.value?.pages.at(-1)?.total ?? null)

  const wanted = ref(0)
  // Another search begins at its top.
  watch(query, () => (wanted.value = 0))

  /** The book at `index` shall be there: pages are loaded until it is. */
  function reach(index: number): void {
    wanted.value = index
  }

  // A load that is under way is not disturbed; when it has ended, this runs again.
  watchEffect(() => {
    const isMissing = wanted.value >= books.value.length && list.hasNextPage.value
    if (isMissing && !list.isFetching.value && !list.isError.value) void list.fetchNextPage()
  })

  return {
    books,
    total,
    reach,
    error: list.error,
    failureReason: list.failureReason,
    isPending: list.isPending,
    isSearching: list.isPlaceholderData,
    isFetching: list.isFetching,
    hasNextPage: list.hasNextPage,
    retry: () => list.refetch(),
  }
}
