import { QueryClient } from '@tanstack/vue-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick, toValue } from 'vue'
import { servers } from '@/api/servers'
import { useLink } from '@/stores/link'
import { runInPage } from '@/testing/mounting'
import { useEventStream } from './useEventStream'

class FakeEventSource extends EventTarget {
  static readonly CLOSED = 2
  static opened: FakeEventSource[] = []
  readyState = 0
  onopen = () => {}
  onerror = () => {}
  readonly close = vi.fn()

  constructor(readonly address: string) {
    super()
    FakeEventSource.opened.push(this)
  }

  say(name: string, data: unknown, lastEventId = '1') {
    const text = typeof data === 'string' ? data : JSON.stringify(data)
    this.dispatchEvent(new MessageEvent(name, { data: text, lastEventId }))
  }
}

beforeEach(() => {
  vi.useFakeTimers()
  FakeEventSource.opened = []
  vi.stubGlobal('EventSource', FakeEventSource)
})
afterEach(() => void vi.useRealTimers())

function open() {
  const queries = new QueryClient()
  const reload = vi.spyOn(queries, 'invalidateQueries').mockResolvedValue()
  const { result: link, stop } = runInPage(() => {
    useEventStream()
    return useLink()
  }, queries)
  const reloaded = () =>
    reload.mock.calls.map(([filters]) => toValue(toValue(filters)?.queryKey)?.[0])
  return { link, stop, reloaded, source: () => FakeEventSource.opened.at(-1)! }
}

describe('the event stream', () => {
  it('is one, and is closed with the page', () => {
    const { source, stop } = open()
    expect(FakeEventSource.opened.map(({ address }) => address)).toEqual(['/api/v1/events'])
    stop()
    expect(source().close).toHaveBeenCalled()
  })

  it('says when it is live and when it is lost', () => {
    const { link, source, stop } = open()
    expect(link.stream).toBe('connecting')
    source().onopen()
    expect(link.stream).toBe('live')
    source().onerror()
    expect(link.stream).toBe('reconnecting')
    stop()
  })

  it('loads everything again after it was lost, and nothing at its start', () => {
    const { source, stop, reloaded } = open()
    source().onopen()
    expect(reloaded()).toEqual([])
    source().onerror()
    source().onopen()
    expect(reloaded()).toEqual(expect.arrayContaining(['books', 'cluster', 'restorations']))
    stop()
  })

  it('opens a new one when the browser gave up', () => {
    const { source, stop } = open()
    source().readyState = FakeEventSource.CLOSED
    source().onerror()
    expect(FakeEventSource.opened).toHaveLength(1)
    vi.advanceTimersByTime(1_000)
    expect(FakeEventSource.opened).toHaveLength(2)
    stop()
  })

  it('asks whether the server is still there when it is lost', () => {
    const { source, stop, reloaded } = open()
    source().onopen()
    source().onerror()
    expect(reloaded()).toEqual(['cluster'])
    stop()
  })

  it('follows the page to another server, and loads everything again there', async () => {
    const { link, source, stop, reloaded } = open()
    source().onopen()
    const before = source()
    vi.spyOn(servers, 'address').mockImplementation((path) => `http://127.0.0.1:7401${path}`)
    link.noteMove({ id: 'app-server-2', address: 'http://127.0.0.1:7401' })
    await nextTick()
    expect(before.close).toHaveBeenCalled()
    expect(source().address).toBe('http://127.0.0.1:7401/api/v1/events')
    expect(link.stream).toBe('reconnecting')
    source().onopen()
    expect(link.stream).toBe('live')
    expect(reloaded()).toEqual(expect.arrayContaining(['books', 'cluster', 'restorations']))
    stop()
  })

  it('shows an event and loads what it made old', () => {
    const { link, source, stop, reloaded } = open()
    source().say('round', { at: '2026-11-20T10:00:00.000Z', round: 17, epoch: 3, text: 'Done.' })
    expect(link.events).toEqual([
      { id: '1', name: 'round', at: '2026-11-20T10:00:00.000Z', round: '3-17', text: 'Done.' },
    ])
    expect(reloaded()).toEqual(['rounds', 'cluster'])
    stop()
  })

  it('shows an event once, also when it is sent again after a reconnection', () => {
    const { link, source, stop } = open()
    source().say('member', { text: 'Down.' }, '7')
    source().say('member', { text: 'Down.' }, '7')
    expect(link.events).toHaveLength(1)
    stop()
  })

  it('survives an event that it cannot read', () => {
    const { link, source, stop } = open()
    source().say('catalogue', 'not JSON')
    expect(link.events[0]).toMatchObject({ name: 'catalogue', text: '' })
    stop()
  })
})
