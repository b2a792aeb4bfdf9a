import { flushPromises, type VueWrapper } from '@vue/test-utils'
import { afterEach, describe, expect, it } from 'vitest'
import type { Book } from '@/api/types'
import { holdRequests } from '@/testing/answers'
import { mountInPage } from '@/testing/mounting'
import BookFormDialog from './BookFormDialog.vue'

const book: Book = {
  id: 'b1',
  title: 'Emma',
  authors: [{ name: 'Jane', surname: 'Austen' }],
  isbn: null,
  publisher: null,
  published: 1815,
  language: 'en',
  subjects: [],
  created: '2026-01-01T00:00:00.000Z',
  digest: 'digest-1',
  version: 1,
}

let wrapper: VueWrapper | undefined
afterEach(() => {
  wrapper?.unmount()
  document.body.innerHTML = ''
})

/** The dialog is teleported to the body, so elements are looked for there. */
function find(testid: string): HTMLElement | null {
  return document.querySelector(`[data-testid="${testid}"]`)
}

function titleField(): HTMLTextAreaElement {
  return find('book-title')!.querySelector('textarea')!
}

async function open(shown: Book | null) {
  const asked = holdRequests()
  wrapper = mountInPage(BookFormDialog, { book: shown })
  await flushPromises()
  return asked
}

async function type(field: HTMLInputElement | HTMLTextAreaElement, text: string) {
  field.value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
  await flushPromises()
}

async function save() {
  document.querySelector('form')!.dispatchEvent(new Event('submit', { cancelable: true }))
  await flushPromises()
}

describe('the book form', () => {
  it('shows the server’s message at the field that it concerns', async () => {
    const asked = await open(book)
    await type(titleField(), 'Emma!')
    await save()
    asked[0]!.answer(422, {
      type: '/problems/invalid-book',
      detail: 'Some fields are not valid.',
      errors: [
        { field: 'title', message: 'no exclamation marks' },
        { field: 'authors[0].surname', message: 'unknown author' },
        { field: 'weight', message: 'no such field' },
      ],
    })
    await flushPromises()
    expect(find('book-title')!.textContent).toContain('no exclamation marks')
    expect(find('book-author-surname')!.textContent).toContain('unknown author')
    expect(find('save-refused')!.textContent).toContain('weight: no such field')
    expect(find('save-refused')!.textContent).not.toContain('unknown author')
    expect(find('book-isbn')!.textContent).not.toContain('no exclamation marks')
    expect(titleField().value).toBe('Emma!')
  })

  it('sends nothing while the title is missing, and says so at the field', async () => {
    const asked = await open(null)
    await save()
    expect(asked).toHaveLength(0)
    expect(find('book-title')!.textContent).toContain('Please give the title')
  })

  it('keeps what was typed while the outcome is unknown, and locks it', async () => {
    const asked = await open(book)
    await type(titleField(), 'Emma, revised')
    await save()
    asked[0]!.answer(202, { change: 'c1', state: 'unknown', detail: 'Not decided.' })
    await flushPromises()
    expect(find('save-unknown')).not.toBeNull()
    expect(titleField().value).toBe('Emma, revised')
    expect(titleField().readOnly).toBe(true)
    expect(wrapper!.emitted('close')).toBeUndefined()
  })

  it('shows each vote and its reason when the round was aborted', async () => {
    const asked = await open(book)
    await type(titleField(), 'Emma 2')
    await save()
    asked[0]!.answer(409, {
      type: '/problems/aborted',
      detail: 'Aborted.',
      round: '3-1',
      votes: [
        { member: 'replicator-1', vote: 'commit' },
        { member: 'replicator-2', vote: 'abort', cause: 'mine', reason: 'disk full' },
      ],
    })
    await flushPromises()
    const votes = [...document.querySelectorAll('[data-testid="vote"]')]
    expect(votes.map((vote) => vote.textContent)).toEqual([
      expect.stringContaining('replicator-1'),
      expect.stringMatching(/replicator-2.*disk full/s),
    ])
    expect(titleField().value).toBe('Emma 2')
  })

  it('saves over somebody else’s change only when told to, naming the new digest', async () => {
    const asked = await open(book)
    await type(titleField(), 'Mine')
    await save()
    asked[0]!.answer(412, { type: '/problems/precondition-failed', current: 'digest-2' })
    await flushPromises()
    asked[1]!.answer(200, { ...book, title: 'Theirs', digest: 'digest-2' })
    await flushPromises()
    expect(find('book-conflict')!.textContent).toContain('Theirs')
    expect(titleField().value).toBe('Mine')
    expect(asked).toHaveLength(2)

    find('conflict-keep')!.click()
    await flushPromises()
    expect(asked[2]!.request.headers.get('If-Match')).toBe('"digest-2"')
    expect(await asked[2]!.request.json()).toMatchObject({ title: 'Mine' })
    const key = (n: number) => asked[n]!.request.headers.get('Idempotency-Key')
    expect(key(2)).not.toBe(key(0))
  })

  it('loads somebody else’s version when asked to', async () => {
    const asked = await open(book)
    await type(titleField(), 'Mine')
    await save()
    asked[0]!.answer(412, { type: '/problems/precondition-failed' })
    await flushPromises()
    asked[1]!.answer(200, { ...book, title: 'Theirs', digest: 'digest-2' })
    await flushPromises()
    find('conflict-reload')!.click()
    await flushPromises()
    expect(titleField().value).toBe('Theirs')
    expect(find('book-conflict')).toBeNull()
  })

  it('offers to add the book anew when it was deleted meanwhile', async () => {
    const asked = await open(book)
    await type(titleField(), 'Mine')
    await save()
    asked[0]!.answer(404, { type: '/problems/not-found' })
    await flushPromises()
    find('book-add-as-new')!.click()
    await flushPromises()
    expect(asked[1]!.request.method).toBe('POST')
    expect(await asked[1]!.request.json()).toMatchObject({ title: 'Mine' })
  })

  it('asks before it throws away what was typed', async () => {
    await open(book)
    await type(titleField(), 'Mine')
    find('book-cancel')!.click()
    await flushPromises()
    expect(wrapper!.emitted('close')).toBeUndefined()
    find('book-discard')!.click()
    await flushPromises()
    expect(wrapper!.emitted('close')).toHaveLength(1)
  })

  it('closes once the change is committed', async () => {
    const asked = await open(book)
    await type(titleField(), 'Mine')
    await save()
    expect(wrapper!.emitted('close')).toBeUndefined()
    asked[0]!.answer(200, { ...book, title: 'Mine', version: 2 })
    await flushPromises()
    expect(wrapper!.emitted('close')).toHaveLength(1)
  })
})
