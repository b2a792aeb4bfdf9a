/**
 * The one EventSource of the page. Keeps it open at the server that the page talks to, says whether it is,
 * and hands each event to the feed and to the refresher. Called once, by `App.vue`.
 */
import { useQueryClient } from '@tanstack/vue-query'
import { onScopeDispose, watch } from 'vue'
import { servers } from '@/api/servers'
import { useLink } from '@/stores/link'
import { Refresher, SUBJECTS, SUBJECTS_BY_EVENT } from './refresher'

const REOPEN_MS_MIN = 1_000
const REOPEN_MS_MAX = 15_000

export function useEventStream(): void {
  const link = useLink()
  const refresher = new Refresher(useQueryClient())
  let source: EventSource | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let reopenMs = REOPEN_MS_MIN
  let wasLost = false

  function open(): void {
    source = new EventSource(servers.address('/api/v1/events'))
    source.onopen = onOpen
    source.onerror = onError
    for (const name of Object.keys(SUBJECTS_BY_EVENT)) source.addEventListener(name, onEvent)
  }

  function onOpen(): void {
    link.stream = 'live'
    reopenMs = REOPEN_MS_MIN
    // Whatever happened meanwhile was not heard.
    if (wasLost) refresher.mark(SUBJECTS)
    wasLost = false
  }

  function onError(): void {
    link.stream = 'reconnecting'
    wasLost = true
    // A question finds out whether the server is gone; if so, the page moves on, and the stream with it.
    refresher.mark(['cluster'])
    // The browser reconnects by itself, except after an answer that is no stream.
    if (source?.readyState !== EventSource.CLOSED) return
    timer = setTimeout(open, reopenMs)
    reopenMs = Math.min(2 * reopenMs, REOPEN_MS_MAX)
  }

  function close(): void {
    clearTimeout(timer)
    source?.close()
  }

  function onEvent(message: MessageEvent<string>): void {
    const data = membersOf(message.data)
    link.noteEvent({
      id: message.lastEventId,
      name: message.type,
      at: typeof data.at === 'string' ? data.at : new Date().toISOString(),
      round: roundName(data),
      text: typeof data.text === 'string' ? data.text : '',
    })
    refresher.mark(SUBJECTS_BY_EVENT[message.type] ?? [])
  }

  function moveOn(): void {
    close()
    link.stream = 'reconnecting'
    wasLost = true
    open()
  }

  open()
  watch(() => link.move, moveOn)
  onScopeDispose(close)
}

function membersOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** `3-17`, whether the event gives the whole name or the number beside its epoch. */
function roundName({ round, epoch }: Record<string, unknown>): string | null {
  if (typeof round === 'string') return round
  if (typeof round === 'number' && typeof epoch === 'number') return `${epoch}-${round}`
  return null
}
