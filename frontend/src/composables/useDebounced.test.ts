import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'
import { useDebounced } from './useDebounced'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('useDebounced', () => {
  it('follows only when the source has been still for the delay', async () => {
    const source = ref('')
    const scope = effectScope()
    const settled = scope.run(() => useDebounced(source, 200))!
    for (const text of ['w', 'wa', 'war']) {
      source.value = text
      await nextTick()
      vi.advanceTimersByTime(199)
    }
    expect(settled.value).toBe('')
    vi.advanceTimersByTime(1)
    expect(settled.value).toBe('war')
    scope.stop()
  })

  it('stops with the page', async () => {
    const source = ref('')
    const scope = effectScope()
    const settled = scope.run(() => useDebounced(source, 200))!
    source.value = 'w'
    await nextTick()
    scope.stop()
    vi.advanceTimersByTime(1000)
    expect(settled.value).toBe('')
  })
})
