/**
 * One import: choose a file, send it, follow it by asking. The same file with the same choices goes out
 * under the same key, so that sending it again continues where it ended.
 */
import { useQueryClient } from '@tanstack/vue-query'
import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import { KeyKeeper } from '@/api/idempotencyKey'
import { readImport, startImport, type ImportType, type OnError } from '@/api/imports'
import { ApiError, type Problem } from '@/api/problem'
import type { Import } from '@/api/types'

const POLL_MS = 700

export type ImportState =
  | { kind: 'choosing'; problem: Problem | null }
  | { kind: 'sending' }
  | { kind: 'running'; job: Import }
  | { kind: 'ended'; job: Import }
  /** No answer came; the server may be importing. `job` is null if its id is not known either. */
  | { kind: 'unknown'; job: Import | null }

export function useImport() {
  const queries = useQueryClient()
  const keys = new KeyKeeper()
  const state = shallowRef<ImportState>({ kind: 'choosing', problem: null })
  const file = shallowRef<File | null>(null)
  const onError = ref<OnError>('skip')
  let timer: ReturnType<typeof setTimeout> | undefined
  let turn = 0

  const type = computed<ImportType | null>(() => (file.value ? typeOf(file.value) : null))
  const isBusy = computed(() => state.value.kind === 'sending' || state.value.kind === 'running')

  async function start(): Promise<void> {
    if (!file.value || !type.value || isBusy.value) return
    const mine = ++turn
    const { name, size, lastModified } = file.value
    const key = keys.keyFor(JSON.stringify([name, size, lastModified, onError.value]))
    state.value = { kind: 'sending' }
    try {
      const job = await startImport(file.value, type.value, onError.value, key)
      if (mine === turn) show(mine, job)
    } catch (error) {
      if (mine !== turn) return
      const problem = error instanceof ApiError ? error.problem : null
      // 503 is refused before anything was done; other server errors say nothing.
      const isRefusal = problem && (problem.status < 500 || problem.status === 503)
      state.value = isRefusal ? { kind: 'choosing', problem } : { kind: 'unknown', job: null }
    }
  }

  function show(mine: number, job: Import): void {
    if (job.state !== 'running') return end(job)
    state.value = { kind: 'running', job }
    timer = setTimeout(() => void follow(mine, job), POLL_MS)
  }

  async function follow(mine: number, job: Import): Promise<void> {
    try {
      const next = await readImport(job.id)
      if (mine === turn) show(mine, next)
    } catch (error) {
      // Another app-server does not know the job: sent again under its key, the import continues there.
      const isElsewhere = error instanceof ApiError && error.problem.status === 404
      if (mine === turn) state.value = { kind: 'unknown', job: isElsewhere ? null : job }
    }
  }

  /** Asks for the job, or sends the file again under the same key: it continues, nothing is done twice. */
  async function checkAgain(): Promise<void> {
    if (state.value.kind !== 'unknown') return
    const { job } = state.value
    if (job === null) return start()
    state.value = { kind: 'running', job }
    await follow(++turn, job)
  }

  function end(job: Import): void {
    // Under its key an import that stopped continues; only after its end is the file a new one.
    if (job.state === 'done') keys.forget()
    state.value = { kind: 'ended', job }
    void queries.invalidateQueries({ queryKey: ['books'] })
  }

  function choose(next: File | null): void {
    file.value = next
    restart()
  }

  function restart(): void {
    turn++
    clearTimeout(timer)
    state.value = { kind: 'choosing', problem: null }
  }

  onScopeDispose(() => {
    turn++
    clearTimeout(timer)
  })

  return { state, file, type, onError, isBusy, start, checkAgain, choose, restart }
}

/** By the name's ending: browsers report many types for CSV, and often none. */
export function typeOf(file: File): ImportType | null {
  const name = file.name.toLowerCase()
  if (name.endsWith('.csv')) return 'text/csv'
  if (name.endsWith('.xml')) return 'application/xml'
  return null
}
