/**
 * The link to the server: which one it is, whether events arrive, whether answers are stale, and the last
 * events. Fed by `composables/useEventStream`, `api/client` and `api/servers`; read by the header, banner
 * and feed.
 */
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { AnswerState } from '@/api/client'
import type { Move } from '@/api/servers'
import type { ClusterEvent } from '@/api/types'

export type StreamState = 'connecting' | 'live' | 'reconnecting'

const EVENTS_MAX = 200

export const useLink = defineStore('link', () => {
  /** The last move to another app-server; null if there was none. */
  const move = shallowRef<Move | null>(null)
  const stream = ref<StreamState>('connecting')
  const staleSince = ref<string | null>(null)
  const version = ref<number | null>(null)
  /** The newest first. */
  const events = shallowRef<ClusterEvent[]>([])

  function noteAnswer(answer: AnswerState): void {
    staleSince.value = answer.staleSince
    // Answers may overtake each other; the committed version only grows.
    if (answer.version !== null && answer.version > (version.value ?? -1)) {
      version.value = answer.version
    }
  }

  function noteEvent(event: ClusterEvent): void {
    if (events.value.some((known) => known.id === event.id && event.id !== '')) return
    events.value = [event, ...events.value].slice(0, EVENTS_MAX)
  }

  function noteMove(next: Move): void {
    move.value = next
  }

  return { move, stream, staleSince, version, events, noteMove, noteAnswer, noteEvent }
})
