/** The selected books, as they were when they were selected: what is done with them names the version that somebody saw. */
import { shallowRef } from 'vue'
import { readBook } from '@/api/books'
import type { Book } from '@/api/types'

export function useSelection(books: () => Book[]) {
  const selected = shallowRef<ReadonlyMap<string, Book>>(new Map())
  let last: number | null = null

  /** One row more or less; with `isRange` all from the last one that was touched on are as this one becomes. */
  function toggle(index: number, isRange: boolean): void {
    const next = new Map(selected.value)
    const book = books()[index]
    if (!book) return
    const becomes = !next.has(book.id)
    const from = isRange && last !== null ? last : index
    for (const each of books().slice(Math.min(from, index), Math.max(from, index) + 1)) {
      if (becomes) next.set(each.id, each)
      else next.delete(each.id)
    }
    last = index
    selected.value = next
  }

  function clear(): void {
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
