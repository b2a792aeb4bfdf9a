import { afterEach, describe, expect, it } from 'vitest'
import type { Restoration } from '@/api/types'
import { mountInPage } from '@/testing/mounting'
import RestorationReport from './RestorationReport.vue'

const summary = {
  members: 3,
  files: 30,
  intact: 30,
  damaged: 0,
  healed: 0,
  lost: 0,
  undecided: 0,
  left: 0,
}
const report: Restoration = {
  id: 'r1',
  state: 'done',
  dry_run: false,
  started_at: '2026-11-20T10:00:00.000Z',
  finished_at: '2026-11-20T10:00:02.000Z',
  version: 12,
  detail: null,
  progress: { phase: 'done', done: 30, total: 30 },
  summary,
  not_compared: [],
  files: [],
}

afterEach(() => void (document.body.innerHTML = ''))

function resultOf(changes: Partial<Restoration>): string | undefined {
  const wrapper = mountInPage(RestorationReport, { report: { ...report, ...changes } })
  const box = wrapper.find('[data-testid="restoration-result"]')
  const result = box.exists() ? box.attributes('data-result') : undefined
  wrapper.unmount()
  return result
}

describe('the result of a restoration', () => {
  it('is clean only when everything was compared and nothing was damaged', () => {
    expect(resultOf({})).toBe('clean')
    expect(resultOf({ not_compared: [{ member: 'replicator-3', reason: 'down' }] })).toBe(
      'not_compared',
    )
  })

  it('asks for attention when anything is lost, undecided or left', () => {
    for (const figure of ['lost', 'undecided', 'left'] as const) {
      expect(resultOf({ summary: { ...summary, damaged: 2, [figure]: 1 } })).toBe('attention')
    }
  })

  it('tells a dry run from a restore', () => {
    const damaged = { ...summary, damaged: 1, healed: 1 }
    expect(resultOf({ summary: damaged })).toBe('healed')
    const leftAlone = { ...summary, damaged: 1, left: 1 }
    expect(resultOf({ summary: leftAlone, dry_run: true })).toBe('would_heal')
  })

  it('is not told before the end, nor after a failure', () => {
    expect(resultOf({ state: 'running' })).toBeUndefined()
    expect(resultOf({ state: 'failed' })).toBeUndefined()
  })
})
