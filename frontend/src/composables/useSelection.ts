/** The selected books, as they were when they were selected: what is done with them names the version that somebody saw. */
import { shallowRef } from 'vue'
import { readBook } from '@/api/books'
import type { Book } from '@/api/types'

/** The list that is selected from. */
export interface Rows {
  bookAt: (index: number) => Book | null
  /** The books of these rows, in parts as they come. */
  between: (first: number, last: number) => AsyncIterable<Book[]>
}

export function useSelection(rows: Rows) {
  const selected = shallowRef<ReadonlyMap<string, Book>>(new Map())
  let last: number | null = null
  let turn = 0

  /**
   * One row more or less; with `isRange` all from the last one that was touched on are as this one becomes. Rows that are
   * not loaded yet follow as they come, until something else is selected this way. Fails if they cannot be loaded.
   */
  async function toggle(index: number, isRange: boolean): Promise<void> {
    const book = rows.bookAt(index)
    if (!book) return
    const becomes = !selected.value.has(book.id)
    const from = isRange && last !== null ? last : index
    last = index
    if (from === index) return set([book], becomes)
    const begun = ++turn
    for await (const books of rows.between(Math.min(from, index), Math.max(from, index))) {
      if (begun !== turn) return
      set(books, becomes)
    }
  }

  function set(books: Book[], becomes: boolean): void {
    const next = new Map(selected.value)
    for (const book of books) {
      if (becomes) next.set(book.id, book)
      else next.delete(book.id)
    }
    selected.value = next
  }

  function clear(): void {
    turn += 1
    selected.value = new Map()
    last = null
  }

  /** Only these, as they are now; what is gone is no longer selected. */
  async function keep(left: Book[]): Promise<void> {
    clear()
    const found = await Promise.allSettled(left.map(({ id }) => readBook(id)))
    const there = found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    selected.value = new Map(there.map((book) => [book.id, book]))
  }

  return { selected, toggle, clear, keep }
}
