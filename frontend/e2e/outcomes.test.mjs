/**
 * Every outcome of a save, as the page shows it. A healthy server gives most of them rarely, so the
 * answers to writes are put in its place here; nothing of these checks reaches the server.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  assertAccessible,
  assertNoErrors,
  fillBook,
  openPage,
  screenshot,
  start,
  until,
} from './support.mjs'

const VOTES = [
  { member: 'replicator-1', vote: 'commit', after_us: 700 },
  { member: 'replicator-2', vote: 'abort', cause: 'mine', reason: 'no space left on the disk' },
  { member: 'replicator-3', vote: 'none' },
]

let session
before(async () => void (session = await start()))
after(() => session?.close())

function problem(status, kind, more = {}) {
  return {
    status,
    contentType: 'application/problem+json',
    headers: status === 503 ? { 'Retry-After': '4' } : {},
    body: JSON.stringify({
      type: `/problems/${kind}`,
      title: kind,
      status,
      detail: `This is ${kind}.`,
      ...more,
    }),
  }
}

function json(status, body) {
  return { status, contentType: 'application/json', body: JSON.stringify(body) }
}

/** Opens the form for a new book whose POSTs get the answers in turn; gives the keys they carried. */
async function openForm(answers, allowedStatuses = []) {
  const opened = await openPage(session, '/', { allowedStatuses })
  const keys = []
  await opened.page.route('**/api/v1/books', (route) => {
    if (route.request().method() !== 'POST') return route.continue()
    keys.push(route.request().headers()['idempotency-key'])
    const answer = answers.shift()
    return answer === 'silence' ? route.abort() : route.fulfill(answer)
  })
  await opened.by('add-book').click()
  await fillBook(opened.page, { title: 'A book of outcomes', name: 'Una', surname: 'Known' })
  return { ...opened, keys }
}

function title(by) {
  return by('book-title').locator('textarea').first().inputValue()
}

test('unknown: the content stays, and the outcome is shown as soon as it is known', async () => {
  const change = { change: 'c-1', state: 'unknown', detail: 'The coordinator has not answered.' }
  const { page, errors, by } = await openForm([json(202, change)])
  let known = change
  await page.route('**/api/v1/changes/c-1', (route) => route.fulfill(json(200, known)))

  await by('book-save').click()
  await by('save-unknown').waitFor()
  assert.equal(await title(by), 'A book of outcomes')
  assert.equal(await by('notice').count(), 0)
  await assertAccessible(page, 'the form with an unknown outcome')
  await screenshot(page, 'save-unknown')

  await by('save-check-again').click()
  await by('save-still-unknown').waitFor()
  known = { change: 'c-1', state: 'committed', version: 7, id: 'b' }
  await by('notice').filter({ hasText: 'Committed as version 7' }).waitFor()
  await by('book-dialog').waitFor({ state: 'detached' })
  assertNoErrors(errors)
  await page.close()
})

test('unknown: a change that the server does not know may be saved again', async () => {
  const { page, errors, by } = await openForm(
    [json(202, { change: 'c-2', state: 'unknown' })],
    [404],
  )
  await page.route('**/api/v1/changes/c-2', (route) => route.fulfill(problem(404, 'not-found')))
  await by('book-save').click()
  await by('save-not-carried-out').waitFor()
  assert.equal(await title(by), 'A book of outcomes')
  assert.ok(await by('book-save').isEnabled())
  assertNoErrors(errors)
  await page.close()
})

test('silence is unknown, and sending again carries the same key', async () => {
  const book = { id: 'b', title: 'A book of outcomes', authors: [], version: 9 }
  const { page, by, keys } = await openForm(['silence', json(201, book)])
  await by('book-save').click()
  await by('save-unknown').waitFor()
  await by('save-send-again').click()
  await by('book-dialog').waitFor({ state: 'detached' })
  assert.equal(keys.length, 2)
  assert.ok(keys[0])
  assert.equal(keys[0], keys[1])
  await page.close()
})

test('aborted: each vote and its reason are shown, and the next attempt has a new key', async () => {
  const aborted = problem(409, 'aborted', { round: '3-17', votes: VOTES })
  const { page, errors, by, keys } = await openForm([aborted, aborted], [409])
  await by('book-save').click()
  await by('save-aborted').waitFor()
  assert.equal(await by('vote').count(), 3)
  assert.match(await by('vote').nth(1).textContent(), /replicator-2.*no space left on the disk/s)
  assert.equal(await title(by), 'A book of outcomes')
  await assertAccessible(page, 'the form after an abort')
  await screenshot(page, 'save-aborted')
  await by('book-save').click()
  await until(() => keys.length === 2, 'the second attempt')
  await by('save-aborted').waitFor()
  assert.notEqual(keys[0], keys[1])
  assertNoErrors(errors)
  await page.close()
})

test('refused for now: it says that nothing changed and when to try again', async () => {
  const { page, errors, by, keys } = await openForm(
    [problem(503, 'no-quorum'), problem(503, 'queue-full')],
    [503],
  )
  await by('book-save').click()
  await by('save-refused').filter({ hasText: '4 seconds' }).waitFor()
  await by('book-save').click()
  await by('save-refused').filter({ hasText: 'queue-full' }).waitFor()
  assert.equal(keys[0], keys[1])
  assertNoErrors(errors)
  await page.close()
})

test('somebody else’s change is shown beside one’s own, and nothing is overwritten unasked', async () => {
  const { page, errors, by } = await openPage(session, '/', { allowedStatuses: [412] })
  await by('book-row').first().waitFor()
  await page.route(/\/api\/v1\/books\/[^/]+$/, async (route) => {
    if (route.request().method() === 'PUT') {
      return route.fulfill(problem(412, 'precondition-failed', { current: 'f'.repeat(64) }))
    }
    const response = await route.fetch()
    const book = await response.json()
    return route.fulfill(json(200, { ...book, publisher: 'Somebody Else', digest: 'f'.repeat(64) }))
  })
  await by('book-open').first().click()
  await by('book-published').locator('input').fill('1234')
  await by('book-save').click()
  await by('book-conflict').filter({ hasText: 'Somebody Else' }).waitFor()
  assert.equal(await by('book-published').locator('input').inputValue(), '1234')
  await assertAccessible(page, 'the form with somebody else’s change')
  await screenshot(page, 'save-conflict')
  await by('conflict-reload').click()
  assert.equal(await by('book-publisher').locator('input').inputValue(), 'Somebody Else')
  assertNoErrors(errors)
  await page.close()
})
