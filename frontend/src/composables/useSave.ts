/**
 * The life of one save. A save is never shown as done before the server said "committed", and an
 * answer that did not come is *unknown*, not a failure. The form's content belongs to the caller and is
 * never touched here.
 *
 *   editing -> saving -> committed | aborted | unknown | editing (refused, with the problem)
 *   unknown -> (asked again, now and then by itself) -> committed | aborted | unknown | editing (it was not carried out)
 */
import { computed, getCurrentScope, onScopeDispose, ref, watch } from 'vue'
import { KeyKeeper } from '@/api/idempotencyKey'
import { ApiError, type Problem } from '@/api/problem'
import type { Vote } from '@/api/types'
import { askChange, type WriteOutcome } from '@/api/write'

/** So often an open outcome is asked for without anybody's doing. */
export const FOLLOW_UP_MS = 2_000

/** Why the form is open again after an attempt to save. */
export type Refusal =
  | { kind: 'problem'; problem: Problem }
  /** The server does not know the change: it did not commit and is not waiting anywhere. */
  | { kind: 'not_carried_out' }

export type SaveState =
  | { kind: 'editing'; refusal: Refusal | null }
  | { kind: 'saving' }
  | { kind: 'committed'; version: number | null }
  | { kind: 'aborted'; reason: string; round: string | null; votes: Vote[] }
  | {
      kind: 'unknown'
      change: string | null
      detail: string
      /** How the last question about the change ended. */
      check: 'not_asked' | 'asking' | 'still_unknown' | 'no_answer'
    }

type UnknownState = Extract<SaveState, { kind: 'unknown' }>

export interface SaveRequest<Value> {
  /** Says what is sent: the same content is sent again under the same key. */
  content: string
  send: (key: string) => Promise<WriteOutcome<Value>>
}

export function useSave<Value>(onCommitted: (version: number | null, value: Value | null) => void) {
  const state = ref<SaveState>({ kind: 'editing', refusal: null })
  const keys = new KeyKeeper()
  let sent: SaveRequest<Value> | null = null
  // An answer counts only if nothing newer was begun while it was on its way.
  let turn = 0

  const isBusy = computed(
    () =>
      state.value.kind === 'saving' ||
      (state.value.kind === 'unknown' && state.value.check === 'asking'),
  )
  /** While the outcome is open the content must stay as it was sent. */
  const isLocked = computed(() => state.value.kind === 'saving' || state.value.kind === 'unknown')

  async function save(request: SaveRequest<Value>): Promise<void> {
    if (isLocked.value) return
    sent = request
    await send(request)
  }

  /** Sends the same request under the same key: it cannot be carried out twice. */
  async function sendAgain(): Promise<void> {
    const open = state.value
    if (open.kind !== 'unknown' || isBusy.value || sent === null) return
    await send(sent, open)
  }

  async function send(
    request: SaveRequest<Value>,
    open: UnknownState | null = null,
  ): Promise<void> {
    const mine = ++turn
    state.value = { kind: 'saving' }
    const outcome = await request.send(keys.keyFor(request.content))
    if (mine !== turn) return
    // 503 refuses this attempt; of an earlier one it says nothing.
    if (open && outcome.kind === 'refused' && outcome.problem.status === 503) {
      state.value = { ...open, detail: outcome.problem.detail, check: 'still_unknown' }
    } else settle(outcome)
  }

  /** Asks the server how the change ended. */
  async function checkAgain(): Promise<void> {
    const open = state.value
    if (open.kind !== 'unknown' || open.check === 'asking') return
    if (open.change === null) return sendAgain()
    const mine = ++turn
    state.value = { ...open, check: 'asking' }
    await learn(open.change, mine, (check) => (state.value = { ...open, check }))
  }

  /** The outcome of a change, if it can be had; otherwise why not. */
  async function learn(
    change: string,
    mine: number,
    onOpen: (check: 'still_unknown' | 'no_answer') => void,
  ): Promise<void> {
    try {
      const outcome = await askChange(change)
      if (mine !== turn) return
      if (outcome.kind === 'unknown') onOpen('still_unknown')
      else settle(outcome)
    } catch (error) {
      if (mine !== turn) return
      if (error instanceof ApiError && error.problem.status === 404) {
        state.value = { kind: 'editing', refusal: { kind: 'not_carried_out' } }
      } else onOpen('no_answer')
    }
  }

  // Nobody has to press a button to hear how it ended. What is still open is not talked about each time.
  let timer: ReturnType<typeof setTimeout> | undefined
  let followed = 0
  async function followUp(mine: number): Promise<void> {
    const open = state.value
    if (open.kind !== 'unknown' || open.change === null) return
    if (open.check !== 'asking') await learn(open.change, turn, () => {})
    if (mine === followed) timer = setTimeout(() => void followUp(mine), FOLLOW_UP_MS)
  }
  watch(
    () => state.value.kind,
    (kind) => {
      clearTimeout(timer)
      const mine = ++followed
      if (kind === 'unknown') timer = setTimeout(() => void followUp(mine), FOLLOW_UP_MS)
    },
    { flush: 'sync' },
  )
  function endFollowing(): void {
    followed += 1
    clearTimeout(timer)
  }
  if (getCurrentScope()) onScopeDispose(endFollowing)

  function settle(outcome: WriteOutcome<Value>): void {
    switch (outcome.kind) {
      case 'committed':
        keys.forget()
        state.value = { kind: 'committed', version: outcome.version }
        onCommitted(outcome.version, outcome.value)
        return
      case 'aborted':
        // An aborted change can never commit; trying again is a new request.
        keys.forget()
        state.value = {
          kind: 'aborted',
          reason: outcome.reason,
          round: outcome.round,
          votes: outcome.votes,
        }
        return
      case 'unknown':
        state.value = {
          kind: 'unknown',
          change: outcome.change,
          detail: outcome.detail,
          check: 'not_asked',
        }
        return
      case 'refused':
        state.value = {
          kind: 'editing',
          refusal: { kind: 'problem', problem: outcome.problem },
        }
    }
  }

  /** Back to editing, without a notice of what happened before. */
  function edit(): void {
    turn++
    state.value = { kind: 'editing', refusal: null }
  }

  return { state, isBusy, isLocked, save, sendAgain, checkAgain, edit }
}
