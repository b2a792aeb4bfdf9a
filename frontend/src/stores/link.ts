/**
 * The link to the server: whether events arrive, whether answers are stale, and the last events.
 * Fed by `composables/useEventStream` and by `api/client`; read by the header, banner and feed.
 */
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { AnswerState } from '@/api/client'
import type { ClusterEvent } from '@/api/types'

export type StreamState = 'connecting' | 'live' | 'reconnecting'

const EVENTS_MAX = 200

export const useLink = defineStore('link', () => {
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

  return { stream, staleSince, version, events, noteAnswer, noteEvent }
})
