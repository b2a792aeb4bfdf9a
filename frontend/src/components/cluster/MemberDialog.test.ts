import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { holdRequests } from '@/testing/answers'
import { mountInPage } from '@/testing/mounting'
import MemberDialog from './MemberDialog.vue'
import { nextName, type MemberOrder } from './memberOrder'

afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

function open(order: MemberOrder): VueWrapper {
  const members = [{ id: 'replicator-3', role: 'voter', state: 'in_sync', version: 1 }]
  return mountInPage(MemberDialog, { order, members })
}

function find<Found extends HTMLElement>(testid: string): Found | null {
  return document.body.querySelector<Found>(`[data-testid=${testid}]`)
}

async function submit(): Promise<void> {
  document.body.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }))
  await flushPromises()
}

describe('the question before the members are changed', () => {
  it('says what removing means, and closes when it is done', async () => {
    const asked = holdRequests()
    const dialog = open({ kind: 'remove', id: 'replicator-2' })
    expect(document.body.textContent).toContain('replicator-2 is no longer a member, for good')
    expect(asked).toHaveLength(0)
    await submit()
    const { request, answer } = asked[0]!
    expect([request.method, new URL(request.url).pathname]).toEqual([
      'DELETE',
      '/api/v1/members/replicator-2',
    ])
    expect(dialog.emitted('close')).toBeUndefined()
    answer(204)
    await flushPromises()
    expect(dialog.emitted('close')).toHaveLength(1)
  })

  it('shows the sentence of the server that refuses, and stays', async () => {
    const asked = holdRequests()
    const dialog = open({ kind: 'demote', id: 'replicator-2' })
    await submit()
    expect(await asked[0]!.request.json()).toEqual({ role: 'observer' })
    asked[0]!.answer(409, { type: '/problems/members-refused', detail: 'Add one first.' })
    await flushPromises()
    expect(find('member-error')?.textContent).toContain('Add one first.')
    expect(find('member-error')?.getAttribute('role')).toBe('alert')
    expect(dialog.emitted('close')).toBeUndefined()
  })

  it('does not claim that nothing was done when no answer came', async () => {
    const asked = holdRequests()
    open({ kind: 'promote', id: 'replicator-2' })
    await submit()
    asked[0]!.fail()
    await flushPromises()
    expect(find('member-error')?.textContent).toContain('Whether it was done is not known')
  })

  it('adds under the next free name unless another is given', async () => {
    const asked = holdRequests()
    open({ kind: 'add' })
    await submit()
    expect(await asked[0]!.request.json()).toEqual({ id: 'replicator-4', role: 'voter' })
    expect(nextName([])).toBe('replicator-1')
    expect(nextName([{ id: 'other' }, { id: 'replicator-12' }, { id: 'replicator-2' }])).toBe(
      'replicator-13',
    )
  })
})
