import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Book } from '@/api/types'
import { response } from '@/testing/answers'
import type { Written } from './loadRun'
import { judge } from './verdict'

function book(title: string, digest = 'd1'): Book {
  return { id: title, title, digest } as Book
}

function written(title: string, more: Partial<Written>): Written {
  return { title, sentMs: 0, tookMs: 1, ending: 'committed', book: null, change: null, ...more }
}

/** A server that holds these books, answers this of every change, and whose copies differ in so many files. */
function serve(books: Book[], change: { status: number; state?: string }, damaged = 0): void {
  vi.stubGlobal('fetch', async (request: Request) => {
    const { pathname } = new URL(request.url)
    if (pathname.endsWith('/books')) {
      return response(200, { items: books, next: null, total: books.length })
    }
    if (pathname.includes('/changes/')) {
      return response(change.status, { change: 'c', state: change.state })
    }
    const summary = { damaged, lost: 0, undecided: 0 }
    return response(200, { id: 'r', state: 'done', summary })
  })
}

afterEach(() => vi.unstubAllGlobals())

describe('the verdict on a load', () => {
  it('is good when every answer is true and all copies agree', async () => {
    serve([book('a')], { status: 404 })
    const verdict = await judge('m', [
      written('a', { book: book('a') }),
      written('b', { ending: 'aborted' }),
      written('c', { ending: 'unknown', change: 'c' }),
    ])
    expect(verdict).toEqual({
      lost: [],
      unwanted: [],
      settled: 1,
      unsettled: 0,
      differing: 0,
      isGood: true,
    })
  })

  it('names what was committed and is gone, or is another than was answered', async () => {
    serve([book('b', 'other')], { status: 404 })
    const all = ['a', 'b'].map((title) => written(title, { book: book(title) }))
    expect(await judge('m', all)).toMatchObject({ lost: ['a', 'b'], isGood: false })
  })

  it('names what was aborted and is there', async () => {
    serve([book('a')], { status: 404 })
    const verdict = await judge('m', [written('a', { ending: 'aborted' })])
    expect(verdict).toMatchObject({ unwanted: ['a'], isGood: false })
  })

  it('holds an unknown outcome to what became of it', async () => {
    serve([], { status: 200, state: 'committed' })
    const open = written('a', { ending: 'unknown', change: 'c' })
    expect(await judge('m', [open])).toMatchObject({ lost: ['a'], settled: 1, isGood: false })
    serve([book('a')], { status: 404 })
    expect(await judge('m', [open])).toMatchObject({ unwanted: ['a'], isGood: false })
  })

  it('is not good while an outcome is unknown or copies differ', async () => {
    serve([], { status: 404 })
    const silent = written('a', { ending: 'unknown' })
    expect(await judge('m', [silent])).toMatchObject({ unsettled: 1, isGood: false })
    serve([], { status: 404 }, 2)
    expect(await judge('m', [])).toMatchObject({ differing: 2, isGood: false })
  })
})
