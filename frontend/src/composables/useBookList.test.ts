import { QueryClient } from '@tanstack/vue-query'
import { flushPromises } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { ref } from 'vue'
import type { BookQuery } from '@/api/books'
import { holdRequests, type Asked } from '@/testing/answers'
import { runInPage } from '@/testing/mounting'
import { useBookList } from './useBookList'

const BY_TITLE: BookQuery = { q: '', sort: 'title', order: 'asc' }

/** So many books from that place on, named by it. */
function page(offset: number, count: number, total = offset + count, name = 'b') {
  const ids = Array.from({ length: count }, (_, place) => `${name}${offset + place}`)
  return { items: ids.map((id) => ({ id, title: id })), next: null, total }
}

function parameters(asked: Asked | undefined) {
  return Object.fromEntries(new URL(asked!.request.url).searchParams)
}

function open(query = ref(BY_TITLE), client?: QueryClient) {
  const asked = holdRequests()
  return { asked, query, ...runInPage(() => useBookList(query), client) }
}

describe('the list of books', () => {
  it('never shows the late answer of a search that was typed over', async () => {
    const { asked, query, result, stop } = open(ref({ ...BY_TITLE, q: 'wa' }))
    await flushPromises()
    query.value = { ...query.value, q: 'war' }
    await flushPromises()
    expect(parameters(asked[1])).toMatchObject({ q: 'war' })

    asked[1]!.answer(200, page(0, 1, 1, 'war'))
    await flushPromises()
    asked[0]!.answer(200, page(0, 2, 2, 'wa'))
    await flushPromises()

    expect(result.bookAt(0)?.id).toBe('war0')
    expect(result.total.value).toBe(1)
    expect(result.isSearching.value).toBe(false)
    stop()
  })

  it('keeps the rows of the search before until the new ones are there', async () => {
    const { asked, query, result, stop } = open()
    await flushPromises()
    asked[0]!.answer(200, page(0, 2))
    await flushPromises()
    query.value = { ...query.value, order: 'desc' }
    await flushPromises()
    expect(result.total.value).toBe(2)
    expect(result.bookAt(1)?.id).toBe('b1')
    expect(result.isSearching.value).toBe(true)
    stop()
  })

  it('loads what is in sight and near it, and nothing on the way there', async () => {
    const { asked, result, stop } = open(ref({ q: '', sort: 'created', order: 'desc' }))
    await flushPromises()
    expect(parameters(asked[0])).toEqual({
      sort: 'created',
      order: 'desc',
      limit: '100',
      offset: '0',
    })
    asked[0]!.answer(200, page(0, 100, 100_000))
    await flushPromises()
    expect(result.total.value).toBe(100_000)

    result.reach(0, 30)
    await flushPromises()
    expect(asked).toHaveLength(1)
    result.reach(50_010, 50_040)
    await flushPromises()
    expect(asked.slice(1).map((each) => parameters(each).offset)).toEqual(['49900', '50000'])
    expect(result.bookAt(50_010)).toBeNull()
    expect(result.total.value).toBe(100_000)
    asked[2]!.answer(200, page(50_000, 100, 100_000))
    await flushPromises()
    expect(result.bookAt(50_010)?.id).toBe('b50010')
    stop()
  })

  it('loads only what is in sight again when the books have changed', async () => {
    const queries = new QueryClient()
    const { asked, result, stop } = open(ref(BY_TITLE), queries)
    await flushPromises()
    asked[0]!.answer(200, page(0, 100, 1_000))
    result.reach(500, 520)
    await flushPromises()
    asked[1]!.answer(200, page(400, 100, 1_000))
    asked[2]!.answer(200, page(500, 100, 1_000))
    await flushPromises()

    void queries.invalidateQueries({ queryKey: ['books'] })
    await flushPromises()
    expect(asked.slice(3).map((each) => parameters(each).offset)).toEqual(['400', '500'])
    asked[3]!.answer(200, page(400, 100, 1_001, 'new'))
    await flushPromises()
    expect(result.bookAt(400)?.id).toBe('new400')
    expect(result.bookAt(500)?.id).toBe('b500')
    expect(result.total.value).toBe(1_001)
    stop()
  })

  it('gives the books of rows that nobody has looked at', async () => {
    const { asked, result, stop } = open()
    await flushPromises()
    asked[0]!.answer(200, page(0, 100, 300))
    await flushPromises()
    const ids: string[] = []
    const reading = (async () => {
      for await (const books of result.between(98, 201)) ids.push(...books.map(({ id }) => id))
    })()
    await flushPromises()
    expect(ids).toEqual(['b98', 'b99'])
    asked[1]!.answer(200, page(100, 100, 300))
    await flushPromises()
    asked[2]!.answer(200, page(200, 100, 300))
    await reading
    expect(ids).toHaveLength(104)
    expect(ids.at(-1)).toBe('b201')
    stop()
  })

  it('stops after a block that could not be loaded, until it is told to try again', async () => {
    const { asked, result, stop } = open()
    await flushPromises()
    asked[0]!.answer(200, page(0, 100, 1_000))
    await flushPromises()
    result.reach(170, 190)
    await flushPromises()
    asked[1]!.answer(500, {})
    asked[2]!.answer(500, {})
    await flushPromises()
    expect(result.error.value).not.toBeNull()
    expect(result.total.value).toBe(1_000)
    expect(asked).toHaveLength(3)
    void result.retry()
    await flushPromises()
    expect(asked).toHaveLength(5)
    stop()
  })

  it('says why it could not load', async () => {
    const { asked, result, stop } = open()
    await flushPromises()
    asked[0]!.answer(422, { type: '/problems/unknown-parameter', detail: 'No such parameter.' })
    await flushPromises()
    expect(result.error.value?.message).toBe('No such parameter.')
    expect(result.isPending.value).toBe(false)
    stop()
  })
})
