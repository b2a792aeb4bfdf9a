/** Several books at once, and taking a deletion back. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  addBook,
  assertAccessible,
  assertNoErrors,
  closed,
  fillBook,
  freshTitle,
  openPage,
  screenshot,
  search,
  start,
  until,
} from './support.mjs'

let session
before(async () => void (session = await start()))
after(() => session?.close())

/** Adds so many books and shows only them. */
async function addBooks(page, by, count) {
  const word = freshTitle('bulk').replace(' ', '')
  for (let number = 1; number <= count; number++) {
    await addBook(page, { title: `${word} number ${number}`, surname: 'Bulk' })
  }
  await search(page, word)
  await until(async () => (await by('book-row').count()) === count, `${count} books are found`)
  return word
}

async function deleteSelected(by, page) {
  await by('bulk-delete').click()
  await by('bulk-confirm').click()
  await closed(page, 'bulk-dialog')
}

test('three books are selected, deleted, and taken back', async () => {
  const { page, errors, by } = await openPage(session)
  await addBooks(page, by, 3)
  await by('book-select').nth(0).click()
  await by('book-select')
    .nth(2)
    .click({ modifiers: ['Shift'] })
  assert.match(await by('selection-bar').innerText(), /3 books selected/)
  await assertAccessible(page, 'selected books')
  await screenshot(page, 'bulk-selected')
  await by('bulk-delete').click()
  await by('bulk-dialog').waitFor()
  await assertAccessible(page, 'the question before several books are deleted')
  await screenshot(page, 'bulk-question')
  await by('bulk-confirm').click()
  await closed(page, 'bulk-dialog')
  await by('books-empty').waitFor()
  assert.equal(await by('selection-bar').count(), 0)

  const undo = by('notice-action').last()
  await undo.hover()
  await assertAccessible(page, 'the way to take it back')
  await undo.click()
  await closed(page, 'undo-dialog')
  await until(async () => (await by('book-row').count()) === 3, 'all three are back')

  await by('book-open').first().focus()
  for (let row = 0; row < 3; row++) {
    await page.keyboard.press('x')
    await page.keyboard.press('ArrowDown')
  }
  await until(async () => /3 books/.test(await by('selection-bar').innerText()), 'selected by key')
  await deleteSelected(by, page)
  assertNoErrors(errors)
  await page.close()
})

test('a book that was changed meanwhile is not deleted, is named, and stays selected', async () => {
  const { page, errors, by } = await openPage(session, '/', { allowedStatuses: [412] })
  const word = await addBooks(page, by, 2)
  await by('book-select').nth(0).click()
  await by('book-select').nth(1).click()

  const other = await openPage(session)
  await search(other.page, word)
  await until(async () => (await other.by('book-row').count()) === 2, 'the other tab has them')
  await other.by('book-open').first().click()
  await fillBook(other.page, { title: `${word} number 1, changed`, surname: 'Bulk' })
  await other.by('book-save').click()
  await closed(other.page, 'book-dialog')

  await by('bulk-delete').click()
  await by('bulk-confirm').click()
  const item = by('batch-item')
  await item.waitFor()
  assert.equal(await item.getAttribute('data-problem'), 'precondition-failed')
  assert.equal(await item.count(), 1)
  await assertAccessible(page, 'the outcome of a deletion of several books')
  await screenshot(page, 'bulk-outcome')
  await by('bulk-cancel').click()
  await closed(page, 'bulk-dialog')
  await until(async () => /1 book/.test(await by('selection-bar').innerText()), 'one is left')
  await deleteSelected(by, page)
  await by('books-empty').waitFor()
  assertNoErrors([...errors, ...other.errors])
  await Promise.all([page.close(), other.page.close()])
})

test('a deletion of several books is stopped, held on the page until then, and goes on', async () => {
  const { page, errors, by } = await openPage(session, '/cluster')
  await page.getByRole('link', { name: 'Catalogue' }).first().click()
  await by('search').waitFor()
  await addBooks(page, by, 6)
  for (let row = 0; row < 6; row++) await by('book-select').nth(row).click()

  const held = []
  let isHolding = true
  await page.route(/\/api\/v1\/books\//, (route) => {
    if (route.request().method() !== 'DELETE' || !isHolding) return route.continue()
    held.push(route)
  })
  await by('bulk-delete').click()
  await by('bulk-confirm').click()
  await until(() => held.length === 4, 'four are on their way')
  await page.goBack()
  await by('bulk-stop').waitFor()
  await assertAccessible(page, 'a deletion of several books on its way')
  await by('bulk-stop').click()
  isHolding = false
  await Promise.all(held.map((route) => route.continue()))
  await until(async () => /4 of 6/.test(await by('bulk-dialog').innerText()), 'four of six')
  assert.match(await by('bulk-dialog').innerText(), /Stopped/)
  await assertAccessible(page, 'a deletion of several books that was stopped')
  await screenshot(page, 'bulk-stopped')
  await by('bulk-confirm').click()
  await closed(page, 'bulk-dialog')
  await by('books-empty').waitFor()
  assertNoErrors(errors)
  await page.close()
})

test('a single deletion is taken back by keyboard', async () => {
  const { page, errors, by } = await openPage(session)
  const word = await addBooks(page, by, 1)
  await by('book-delete').click()
  await by('delete-confirm').click()
  await closed(page, 'delete-dialog')
  await by('notice-action').last().focus()
  await page.keyboard.press('Enter')
  await closed(page, 'undo-dialog')
  await until(async () => (await by('book-row').count()) === 1, 'the book is back')
  assert.ok((await by('book-row').innerText()).includes(word))
  await by('book-select').click()
  await deleteSelected(by, page)
  assertNoErrors(errors)
  await page.close()
})
