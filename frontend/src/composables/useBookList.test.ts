import { QueryClient } from '@tanstack/vue-query'
import { flushPromises } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { ref } from 'vue'
import type { BookQuery } from '@/api/books'
import { holdRequests, type Asked } from '@/testing/answers'
import { runInPage } from '@/testing/mounting'
import { useBookList } from './useBookList'

function page(ids: string[], next: string | null = null, total = ids.length) {
  return { items: ids.map((id) => ({ id, title: id })), next, total }
}

function parameters(asked: Asked | undefined) {
  return Object.fromEntries(new URL(asked!.request.url).searchParams)
}

describe('the list of books', () => {
  it('never shows the late answer of a search that was typed over', async () => {
    const asked = holdRequests()
    const query = ref<BookQuery>({ q: 'wa', sort: 'title', order: 'asc' })
    const { result, stop } = runInPage(() => useBookList(query))
    await flushPromises()
    query.value = { ...query.value, q: 'war' }
    await flushPromises()
    expect(parameters(asked[1])).toMatchObject({ q: 'war' })

    asked[1]!.answer(200, page(['war']))
    await flushPromises()
    asked[0]!.answer(200, page(['walden', 'war']))
    await flushPromises()

    expect(result.books.value.map(({ id }) => id)).toEqual(['war'])
    expect(result.isSearching.value).toBe(false)
    stop()
  })

  it('keeps the rows of the search before until the new ones are there', async () => {
    const asked = holdRequests()
    const query = ref<BookQuery>({ q: '', sort: 'title', order: 'asc' })
    const { result, stop } = runInPage(() => useBookList(query))
    await flushPromises()
    asked[0]!.answer(200, page(['a', 'b']))
    await flushPromises()
    query.value = { ...query.value, order: 'desc' }
    await flushPromises()
    expect(result.books.value).toHaveLength(2)
    expect(result.isSearching.value).toBe(true)
    stop()
  })

  it('loads page after page by cursor until the wanted row is there', async () => {
    const asked = holdRequests()
    const query = ref<BookQuery>({ q: '', sort: 'created', order: 'desc' })
    const { result, stop } = runInPage(() => useBookList(query))
    await flushPromises()
    expect(parameters(asked[0])).toEqual({ sort: 'created', order: 'desc', limit: '100' })
    asked[0]!.answer(200, page(['a', 'b'], 'c1', 4))
    await flushPromises()
    expect(result.total.value).toBe(4)

    result.reach(1)
    await flushPromises()
    expect(asked).toHaveLength(1)
    result.reach(3)
    await flushPromises()
    expect(parameters(asked[1])).toMatchObject({ cursor: 'c1', limit: '500' })
    // A book that moved between two pages while they were read is shown once.
    asked[1]!.answer(200, page(['b', 'c', 'd'], null, 4))
    await flushPromises()
    expect(result.books.value.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
    expect(result.hasNextPage.value).toBe(false)
    stop()
  })

  it('goes on loading after a reload that changed nothing', async () => {
    const asked = holdRequests()
    const queries = new QueryClient()
    const query = ref<BookQuery>({ q: '', sort: 'title', order: 'asc' })
    const { result, stop } = runInPage(() => useBookList(query), queries)
    await flushPromises()
    asked[0]!.answer(200, page(['a', 'b'], 'c1', 4))
    await flushPromises()

    void queries.invalidateQueries({ queryKey: ['books'] })
    await flushPromises()
    result.reach(3)
    await flushPromises()
    expect(parameters(asked[1])).not.toHaveProperty('cursor')
    asked[1]!.answer(200, page(['a', 'b'], 'c1', 4))
    await flushPromises()
    expect(parameters(asked[2])).toMatchObject({ cursor: 'c1' })
    stop()
  })

  it('stops after a page that could not be loaded, until it is told to try again', async () => {
    const asked = holdRequests()
    const query = ref<BookQuery>({ q: '', sort: 'title', order: 'asc' })
    const { result, stop } = runInPage(() => useBookList(query))
    await flushPromises()
    asked[0]!.answer(200, page(['a', 'b'], 'c1', 4))
    await flushPromises()
    result.reach(3)
    await flushPromises()
    asked[1]!.answer(500, {})
    await flushPromises()
    expect(result.error.value).not.toBeNull()
    expect(asked).toHaveLength(2)
    void result.retry()
    await flushPromises()
    expect(asked).toHaveLength(3)
    stop()
  })

  it('says why it could not load', async () => {
    const asked = holdRequests()
    const query = ref<BookQuery>({ q: '', sort: 'title', order: 'asc' })
    const { result, stop } = runInPage(() => useBookList(query))
    await flushPromises()
    asked[0]!.answer(422, { type: '/problems/unknown-parameter', detail: 'No such parameter.' })
    await flushPromises()
    expect(result.error.value?.message).toBe('No such parameter.')
    stop()
  })
})
