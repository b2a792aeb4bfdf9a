/**
 * Many writes of one kind, each with a key and an outcome of its own, a few at a time. Like `useSave`, it never takes silence
 * for a failure: what is unknown is sent again under the same key, everything else that did not commit under a new one.
 */
import { computed, ref, type Ref } from 'vue'
import { freshKey } from '@/api/idempotencyKey'
import type { WriteOutcome } from '@/api/write'

/** So many rounds wait for each other at the coordinator anyway. */
const AT_ONCE_MAX = 4
/** Whoever gets one of these must look again before anything else: the same request would be refused for ever. */
const FINAL_PROBLEMS = ['precondition-failed', 'not-found']

export type ItemState = 'waiting' | 'sending' | WriteOutcome<unknown>['kind']

export interface BatchItem<Subject> {
  subject: Subject
  key: string
  state: ItemState
  /** Why it was aborted or refused, or what is known of an unknown outcome; in English. */
  reason: string
  /** The last part of the problem's type, if it was refused. */
  problem: string | null
}

export function useBatch<Subject, Value>(
  send: (subject: Subject, key: string) => Promise<WriteOutcome<Value>>,
) {
  const items = ref([]) as Ref<BatchItem<Subject>[]>
  const isRunning = ref(false)
  const isStopping = ref(false)

  const committed = computed(() => items.value.filter(({ state }) => state === 'committed'))
  const left = computed(() => items.value.filter(({ state }) => state !== 'committed'))
  /** What can be sent again as it is. */
  const retryable = computed(() =>
    left.value.filter(({ problem }) => !FINAL_PROBLEMS.includes(problem ?? '')),
  )
  const isDone = computed(() => !isRunning.value && items.value.length > 0)

  async function begin(subjects: Subject[]): Promise<void> {
    if (isRunning.value) return
    items.value = subjects.map((subject) => ({
      subject,
      key: freshKey(),
      state: 'waiting',
      reason: '',
      problem: null,
    }))
    await run(items.value)
  }

  /** Everything that may still be committed, once more. */
  async function again(): Promise<void> {
    if (isRunning.value) return
    const open = retryable.value
    for (const item of open) if (item.state !== 'unknown') item.key = freshKey()
    await run(open)
  }

  async function run(open: BatchItem<Subject>[]): Promise<void> {
    isRunning.value = true
    isStopping.value = false
    const waiting = [...open]
    const next = () => (isStopping.value ? undefined : waiting.shift())
    const worker = async () => {
      for (let item = next(); item; item = next()) await sendOne(item)
    }
    await Promise.all(Array.from({ length: AT_ONCE_MAX }, worker))
    isRunning.value = false
  }

  /** Sends no more; what is on its way is waited for. */
  function stop(): void {
    isStopping.value = isRunning.value
  }

  async function sendOne(item: BatchItem<Subject>): Promise<void> {
    const wasUnknown = item.state === 'unknown'
    item.state = 'sending'
    const outcome = await send(item.subject, item.key)
    // 503 refuses this attempt; of an earlier one it says nothing.
    const isStillUnknown =
      wasUnknown && outcome.kind === 'refused' && outcome.problem.status === 503
    item.state = isStillUnknown ? 'unknown' : outcome.kind
    item.reason = reasonOf(outcome)
    item.problem = outcome.kind === 'refused' ? outcome.problem.kind : null
  }

  return { items, committed, left, retryable, isRunning, isStopping, isDone, begin, again, stop }
}

function reasonOf(outcome: WriteOutcome<unknown>): string {
  switch (outcome.kind) {
    case 'committed':
      return ''
    case 'refused':
      return outcome.problem.detail || outcome.problem.title
    case 'aborted':
      return outcome.reason
    case 'unknown':
      return outcome.detail
  }
}
