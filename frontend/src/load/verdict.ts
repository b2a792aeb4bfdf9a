/**
 * Whether a load left the catalogue as its answers say: what was committed is there and unchanged, what was refused or aborted
 * is not, what was unknown has ended one way or the other, and all copies hold the same.
 */
import { listBooks } from '@/api/books'
import { ApiError } from '@/api/problem'
import { readRestoration, startRestoration } from '@/api/restorations'
import { askChange } from '@/api/write'
import type { Book } from '@/api/types'
import type { Written } from './loadRun'

const PAGE_BOOKS = 500
const WAIT_MS_MAX = 60_000
const LOOK_EVERY_MS = 500

export interface Verdict {
  /** Answered "committed", and not there or not as it was answered. */
  lost: string[]
  /** Answered "aborted" or refused, and there all the same. */
  unwanted: string[]
  /** Answered "unknown", with an outcome now. */
  settled: number
  /** Answered "unknown", and still so. */
  unsettled: number
  /** Files of which the copies are not the same; null if they could not be compared. */
  differing: number | null
  isGood: boolean
}

export async function judge(mark: string, written: Written[]): Promise<Verdict> {
  const open = written.filter(({ ending }) => ending === 'unknown')
  const endings = await Promise.all(open.map(settle))
  const found = await booksOf(mark)
  const lost = written.filter(
    ({ book, ending }) =>
      ending === 'committed' && found.get(book?.title ?? '')?.digest !== book?.digest,
  )
  const unwanted = written.filter(
    ({ title, ending }) => (ending === 'aborted' || ending === 'refused') && found.has(title),
  )
  open.forEach((each, place) => {
    if (endings[place] === 'committed' && !found.has(each.title)) lost.push(each)
    if (endings[place] === 'not' && found.has(each.title)) unwanted.push(each)
  })
  const unsettled = endings.filter((ending) => ending === null).length
  const differing = await differingFiles()
  return {
    lost: lost.map(({ title }) => title),
    unwanted: unwanted.map(({ title }) => title),
    settled: endings.length - unsettled,
    unsettled,
    differing,
    isGood: lost.length === 0 && unwanted.length === 0 && unsettled === 0 && differing === 0,
  }
}

/** Every book of a run, by its title. */
export async function booksOf(mark: string): Promise<Map<string, Book>> {
  const found = new Map<string, Book>()
  let cursor: string | null = null
  do {
    const page = await listBooks(
      { q: mark, sort: 'title', order: 'asc' },
      { cursor, limit: PAGE_BOOKS },
    )
    for (const book of page.items) found.set(book.title, book)
    cursor = page.next
  } while (cursor !== null)
  return found
}

/** How a write ended after all: committed, not, or null if it cannot be known. */
async function settle({ change }: Written): Promise<'committed' | 'not' | null> {
  const end = Date.now() + WAIT_MS_MAX
  while (change !== null && Date.now() < end) {
    try {
      const { kind } = await askChange(change)
      if (kind !== 'unknown') return kind === 'committed' ? 'committed' : 'not'
    } catch (cause) {
      if (cause instanceof ApiError && cause.problem.status === 404) return 'not'
    }
    await pause()
  }
  return null
}

async function differingFiles(): Promise<number | null> {
  try {
    const id = await startRestoration(true)
    for (;;) {
      const { state, summary } = await readRestoration(id)
      if (state === 'failed' || (state === 'done' && !summary)) return null
      if (state === 'done' && summary) return summary.damaged + summary.lost + summary.undecided
      await pause()
    }
  } catch {
    return null
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
}
