/** Requests about books. */
import { client, read } from './client'
import { servers } from './servers'
import { outcomeOf, type WriteOutcome } from './write'
import type { Book, BookInput, BookList, BookSort, SortOrder } from './types'

export interface BookQuery {
  q: string
  sort: BookSort
  order: SortOrder
}

/** After the page before, or after so many books; from the beginning without either. */
export interface BookPage {
  cursor?: string | null
  offset?: number
  limit: number
}

export function listBooks(
  query: BookQuery,
  page: BookPage,
  signal?: AbortSignal,
): Promise<BookList> {
  return read(
    client.GET('/api/v1/books', {
      params: {
        query: {
          ...(query.q === '' ? {} : { q: query.q }),
          sort: query.sort,
          order: query.order,
          limit: page.limit,
          ...(page.cursor ? { cursor: page.cursor } : {}),
          ...(page.offset === undefined ? {} : { offset: page.offset }),
        },
      },
      signal,
    }),
  )
}

/** As JSON, which is what comes when nothing else is asked for. */
export async function readBook(id: string): Promise<Book> {
  return (await read(client.GET('/api/v1/books/{id}', { params: { path: { id } } }))) as Book
}

/** The books that have this ISBN, which is one or none as long as nobody enters it twice. */
export async function booksWithIsbn(isbn: string, signal?: AbortSignal): Promise<Book[]> {
  const found = await read(
    client.GET('/api/v1/books', { params: { query: { isbn, limit: 5 } }, signal }),
  )
  return found.items
}

/** The bytes that are stored, exactly. */
export async function readBookXml(id: string): Promise<Blob> {
  return await read(
    client.GET('/api/v1/books/{id}', {
      params: { path: { id } },
      headers: { Accept: 'application/xml' },
      parseAs: 'blob',
    }),
  )
}

export function createBook(book: BookInput, key: string): Promise<WriteOutcome<Book>> {
  return outcomeOf<Book>(
    client.POST('/api/v1/books', { params: { header: { 'Idempotency-Key': key } }, body: book }),
  )
}

export function replaceBook(
  id: string,
  digest: string,
  book: BookInput,
  key: string,
): Promise<WriteOutcome<Book>> {
  return outcomeOf<Book>(
    client.PUT('/api/v1/books/{id}', {
      params: { path: { id }, header: { 'Idempotency-Key': key, 'If-Match': `"${digest}"` } },
      body: book,
    }),
  )
}

export function deleteBook(id: string, digest: string, key: string): Promise<WriteOutcome<null>> {
  return outcomeOf<null>(
    client.DELETE('/api/v1/books/{id}', {
      params: { path: { id }, header: { 'Idempotency-Key': key, 'If-Match': `"${digest}"` } },
    }),
  )
}

export function exportAddress(format: 'xml' | 'csv'): string {
  return servers.address(`/api/v1/exports?format=${format}`)
}
