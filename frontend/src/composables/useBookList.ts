/**
 * The list of books, page by page. The pages of one query belong together under its key, so a late
 * answer to a query that was typed over lands where nobody looks and is never shown.
 */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
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

  /** Loads further pages until the book at `index` is there; called again as pages arrive. */
  function reach(index: number): void {
    if (index >= books.value.length && list.hasNextPage.value && !list.isFetching.value) {
      void list.fetchNextPage()
    }
  }

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
