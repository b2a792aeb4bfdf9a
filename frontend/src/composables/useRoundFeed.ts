/**
 * The last thousand rounds, kept fresh: the whole list once, then only its newest page as events come. Rounds stay
 * when the coordinator that ran them is gone.
 */
import { computed, onScopeDispose, shallowRef, watch } from 'vue'
import { listRounds, readRound } from '@/api/cluster'
import { ApiError } from '@/api/problem'
import type { Round } from '@/api/types'
import { useLink } from '@/stores/link'

/** As many as the coordinator keeps. */
export const ROUNDS_MAX = 1_000
const FIRST_PAGE_ROUNDS = 500
const NEW_PAGE_ROUNDS = 50
/** Events come by the hundred under load; the eye is content with a few changes in a second. */
const REST_MS = 150
/** In case that no event tells of a change, for instance while the stream is down. */
const POLL_MS = 5_000
/** Rounds that are not over, but older than the newest page, are asked for one by one. */
const OLD_OPEN_MAX = 5

export function isOver(round: Round): boolean {
  return round.outcome !== 'in_flight' && round.ended_after_us != null
}

function newerFirst(one: Round, other: Round): number {
  return other.epoch - one.epoch || other.number - one.number
}

export function useRoundFeed() {
  const link = useLink()
  const known = new Map<string, Round>()
  /** The newest first. */
  const rounds = shallowRef<Round[]>([])
  const error = shallowRef<Error | null>(null)
  const isLoaded = shallowRef(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  let isBusy = false
  let isWanted = false
  let restsUntilMs = 0
  let isDisposed = false

  function take(news: Round[]): void {
    for (const round of news) known.set(round.id, round)
    const sorted = [...known.values()].sort(newerFirst)
    for (const old of sorted.splice(ROUNDS_MAX)) known.delete(old.id)
    rounds.value = sorted
  }

  /** Reads pages from the newest on, until one reaches what was known before. */
  async function loadNew(): Promise<void> {
    const before = new Set(known.keys())
    let limit = before.size ? NEW_PAGE_ROUNDS : FIRST_PAGE_ROUNDS
    let cursor: string | null = null
    let count = 0
    do {
      const page: { items: Round[]; next: string | null } = await listRounds(limit, null, cursor)
      take(page.items)
      count += page.items.length
      const reached = page.items.some(({ id }) => before.has(id))
      cursor = reached ? null : page.next
      limit = FIRST_PAGE_ROUNDS
    } while (cursor !== null && count < ROUNDS_MAX)
    await loadOldOpen(before)
  }

  async function loadOldOpen(before: Set<string>): Promise<void> {
    const epoch = rounds.value[0]?.epoch
    const old = rounds.value
      .slice(NEW_PAGE_ROUNDS)
      .filter((round) => before.has(round.id) && round.epoch === epoch && !isOver(round))
    const asked = old.slice(0, OLD_OPEN_MAX).map(({ id }) => readRound(id))
    const answers = await Promise.allSettled(asked)
    take(answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])))
  }

  async function load(): Promise<void> {
    isBusy = true
    isWanted = false
    clearTimeout(timer)
    try {
      await loadNew()
      error.value = null
      isLoaded.value = true
    } catch (cause) {
      error.value = cause instanceof Error ? cause : new Error(String(cause))
    }
    isBusy = false
    restsUntilMs = performance.now() + REST_MS
    if (!isDisposed) timer = setTimeout(() => void load(), isWanted ? REST_MS : POLL_MS)
  }

  /** Now, or after the rest of the load before. */
  function refresh(): void {
    if (isWanted) return
    isWanted = true
    if (isBusy) return
    clearTimeout(timer)
    timer = setTimeout(() => void load(), Math.max(0, restsUntilMs - performance.now()))
  }

  watch(
    () => link.events,
    (events, before) => {
      const news = events.slice(0, Math.max(0, events.indexOf(before[0]!)) || events.length)
      if (news.some(({ name }) => name === 'round' || name === 'link')) refresh()
    },
  )
  watch(() => [link.stream, link.move], refresh)
  void load()
  onScopeDispose(() => {
    isDisposed = true
    clearTimeout(timer)
  })

  return { rounds, error, isLoaded, refresh, byId: (id: string) => known.get(id) ?? null }
}

/** A round that the list does not hold, asked for by its name. */
export function useOneRound(id: () => string | null, listed: () => Round | null) {
  const found = shallowRef<Round | null>(null)
  const error = shallowRef<Error | null>(null)
  const isMissing = computed(
    () => error.value instanceof ApiError && error.value.problem.status === 404,
  )

  async function load(): Promise<void> {
    const asked = id()
    error.value = null
    if (found.value?.id !== asked) found.value = null
    if (asked === null || listed() !== null) return
    try {
      const round = await readRound(asked)
      if (id() === asked) found.value = round
    } catch (cause) {
      if (id() === asked) error.value = cause instanceof Error ? cause : new Error(String(cause))
    }
  }

  watch([id, () => listed() === null], load, { immediate: true })
  return { round: computed(() => listed() ?? found.value), error, isMissing, load }
}
