import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { holdRequests } from '@/testing/answers'
import { runInPage } from '@/testing/mounting'
import { typeOf, useImport } from './useImport'

const csv = new File(['title\n'], 'Books.CSV')
const job = { id: 'i1', imported: 0, failed: [], total: 10, rounds: 0 }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function open() {
  const asked = holdRequests()
  const { result, stop } = runInPage(() => useImport())
  result.choose(csv)
  return { asked, stop, ...result }
}

async function startAndAnswer(page: ReturnType<typeof open>, status: number, body?: unknown) {
  void page.start()
  await flushPromises()
  page.asked.at(-1)!.answer(status, body)
  await flushPromises()
}

async function poll(page: ReturnType<typeof open>) {
  await vi.advanceTimersByTimeAsync(1_000)
  await flushPromises()
  return page.asked.at(-1)!
}

describe('an import', () => {
  it('sends the file as what its name says and asks not to wait', async () => {
    const page = open()
    void page.start()
    await flushPromises()
    const { request } = page.asked[0]!
    expect(new URL(request.url).searchParams.get('on_error')).toBe('skip')
    expect(request.headers.get('Content-Type')).toBe('text/csv')
    expect(request.headers.get('Prefer')).toBe('respond-async')
    expect(request.headers.get('Idempotency-Key')).toBeTruthy()
    page.stop()
  })

  it('follows the job until it has ended', async () => {
    const page = open()
    await startAndAnswer(page, 202, { ...job, state: 'running' })
    expect(page.state.value).toMatchObject({ kind: 'running', job: { imported: 0 } })
    ;(await poll(page)).answer(200, { ...job, state: 'running', imported: 4 })
    await flushPromises()
    expect(page.state.value).toMatchObject({ kind: 'running', job: { imported: 4 } })
    ;(await poll(page)).answer(200, { ...job, state: 'done', imported: 10 })
    await flushPromises()
    expect(page.state.value).toMatchObject({ kind: 'ended', job: { imported: 10 } })
    page.stop()
  })

  it('shows the rows for which nothing was sent', async () => {
    const page = open()
    const failed = [{ row: 3, error: 'no title' }]
    await startAndAnswer(page, 422, { type: '/problems/invalid-import', failed })
    expect(page.state.value).toMatchObject({ kind: 'choosing', problem: { failed } })
    page.stop()
  })

  it('is unknown when no answer comes, and goes out again under the same key', async () => {
    const page = open()
    void page.start()
    await flushPromises()
    page.asked[0]!.fail()
    await flushPromises()
    expect(page.state.value).toEqual({ kind: 'unknown', job: null })
    void page.checkAgain()
    await flushPromises()
    const key = (n: number) => page.asked[n]!.request.headers.get('Idempotency-Key')
    expect(key(1)).toBe(key(0))
    page.stop()
  })

  it('continues under the same key when it stopped before its end', async () => {
    const page = open()
    await startAndAnswer(page, 200, { ...job, state: 'failed', imported: 4 })
    expect(page.state.value).toMatchObject({ kind: 'ended', job: { state: 'failed' } })
    void page.start()
    await flushPromises()
    const key = (n: number) => page.asked[n]!.request.headers.get('Idempotency-Key')
    expect(key(1)).toBe(key(0))
    page.stop()
  })

  it('asks for its job again when following it was interrupted', async () => {
    const page = open()
    await startAndAnswer(page, 202, { ...job, state: 'running' })
    ;(await poll(page)).fail()
    await flushPromises()
    expect(page.state.value.kind).toBe('unknown')
    void page.checkAgain()
    await flushPromises()
    expect(new URL(page.asked.at(-1)!.request.url).pathname).toBe('/api/v1/imports/i1')
    page.stop()
  })

  it('goes out again under the same key where the server does not know its job', async () => {
    const page = open()
    await startAndAnswer(page, 202, { ...job, state: 'running' })
    ;(await poll(page)).answer(404, { type: '/problems/not-found' })
    await flushPromises()
    expect(page.state.value).toEqual({ kind: 'unknown', job: null })
    void page.checkAgain()
    await flushPromises()
    const again = page.asked.at(-1)!.request
    expect(again.method).toBe('POST')
    expect(again.headers.get('Idempotency-Key')).toBe(
      page.asked[0]!.request.headers.get('Idempotency-Key'),
    )
    page.stop()
  })

  it('asks no more once the dialog is closed', async () => {
    const page = open()
    await startAndAnswer(page, 202, { ...job, state: 'running' })
    page.stop()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(page.asked).toHaveLength(1)
  })
})

describe('typeOf', () => {
  it('goes by the end of the name', () => {
    expect(typeOf(new File([], 'a.csv'))).toBe('text/csv')
    expect(typeOf(new File([], 'a.XML'))).toBe('application/xml')
    expect(typeOf(new File([], 'a.xlsx'))).toBeNull()
  })
})
