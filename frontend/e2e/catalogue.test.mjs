/** The catalogue as a person uses it: add, find, edit, sort, delete, each through to "committed". */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  addBook,
  assertAccessible,
  assertNoErrors,
  closed,
  deleteBook,
  fillBook,
  freshTitle,
  openPage,
  screenshot,
  search,
  start,
  until,
} from './support.mjs'
import { serve } from '../dev/serve.mjs'

let session
before(async () => void (session = await start()))
after(() => session?.close())

test('a book is added, found, edited and deleted', async () => {
  const { page, errors, by } = await openPage(session)
  const title = freshTitle('Añoranza & <Söhne>')
  const rows = by('book-row').filter({ hasText: title })

  await addBook(page, { title, name: 'Óscar', surname: 'Peña' })
  await by('notice').filter({ hasText: 'Committed as version' }).waitFor()
  await search(page, title.toUpperCase())
  await rows.first().waitFor()
  assert.equal(await rows.count(), 1)

  await rows.getByTestId('book-edit').click()
  await by('book-dialog').waitFor()
  assert.equal(await by('book-title').locator('textarea').first().inputValue(), title)
  await fillBook(page, { title: `${title}, revised`, name: 'Óscar', surname: 'Peña' })
  await by('book-isbn').locator('input').fill('978-0-14-143951-8')
  await by('book-published').locator('input').fill('1999')
  await by('book-subjects').locator('input').fill('testing')
  await page.keyboard.press('Enter')
  await by('book-save').click()
  await closed(page, 'book-dialog')
  await rows.filter({ hasText: 'revised' }).filter({ hasText: '9780141439518' }).waitFor()

  await deleteBook(page, title)
  await by('books-empty').waitFor()
  await screenshot(page, 'catalogue-after-delete')
  assertNoErrors(errors)
  await page.close()
})

test('cancelling the question deletes nothing', async () => {
  const { page, errors, by } = await openPage(session)
  await by('book-row').first().waitFor()
  const total = await by('book-total').getAttribute('data-total')
  await by('book-delete').first().click()
  await by('delete-dialog').waitFor()
  await by('delete-cancel').click()
  await by('delete-dialog').waitFor({ state: 'detached' })
  assert.equal(await by('book-total').getAttribute('data-total'), total)
  assertNoErrors(errors)
  await page.close()
})

test('the server’s words about a wrong field stand at that field', async () => {
  const { page, errors, by } = await openPage(session, '/', { allowedStatuses: [422] })
  await by('add-book').click()
  await fillBook(page, { title: 'A book with a wrong ISBN', surname: 'Nobody' })
  await by('book-isbn').locator('input').fill('978-0-14-143951-9')
  await by('book-save').click()
  await by('save-refused').waitFor()
  await by('book-isbn').locator('.v-messages__message').filter({ hasText: /isbn/i }).waitFor()
  await assertAccessible(page, 'the book form with errors')
  assertNoErrors(errors)
  await page.close()
})

test('the whole list is reached by scrolling, and a click on a header sorts it', async () => {
  const { page, errors, by } = await openPage(session)
  await by('book-row').first().waitFor()
  const total = Number(await by('book-total').getAttribute('data-total'))
  await by('book-scroller').evaluate((element) => element.scrollTo(0, element.scrollHeight))
  // Rows are numbered after the header, which is row 1.
  await page.locator(`[data-testid="book-row"][aria-rowindex="${total + 1}"]`).waitFor()
  const rendered = await by('book-row').count()
  assert.ok(rendered < 100, `only the rows in sight are in the document, not ${rendered}`)
  await screenshot(page, 'catalogue-end')

  await by('sort-published').click()
  await until(
    () => by('book-scroller').evaluate((element) => element.scrollTop === 0),
    'back to the top',
  )
  const column = page.getByRole('columnheader').filter({ has: by('sort-published') })
  assert.equal(await column.getAttribute('aria-sort'), 'ascending')
  await by('sort-published').click()
  await until(async () => (await column.getAttribute('aria-sort')) === 'descending', 'descending')
  assert.match(page.url(), /sort=published&order=desc/)
  assertNoErrors(errors)
  await page.close()
})

test('the middle of a long list is shown at once, and its rows are selected unseen', async () => {
  // Of its own, for a real cluster has few books.
  const server = await serve({ books: 20_000 })
  try {
    const { page, errors, by } = await openPage({ ...session, address: server.address })
    await by('book-row').first().waitFor()
    const asked = []
    page.on('request', (request) => asked.push(new URL(request.url())))
    const row = (index) => page.locator(`[data-testid="book-row"][aria-rowindex="${index + 2}"]`)
    await by('book-select').first().click()
    await by('book-scroller').evaluate((element) => element.scrollTo(0, element.scrollHeight / 2))
    await row(10_000).waitFor()
    const offsets = asked.map(({ searchParams }) => searchParams.get('offset')).filter(Boolean)
    assert.ok(offsets.length <= 3, `nothing is read on the way there, not ${offsets.join(', ')}`)

    await row(10_000)
      .getByTestId('book-select')
      .click({ modifiers: ['Shift'] })
    await until(
      async () => /10,001 books/.test(await by('selection-bar').innerText()),
      'all of the rows between them are selected',
    )
    await by('bulk-clear').click()
    assertNoErrors(errors)
    await page.close()
  } finally {
    await server.stop()
  }
})

test('two tabs edit one book: the second sees what the first has saved before it overwrites it', async () => {
  const one = await openPage(session)
  const other = await openPage(session, '/', { allowedStatuses: [412] })
  const title = freshTitle('Edited twice')
  await addBook(one.page, { title, surname: 'Twice' })
  for (const { page, by } of [one, other]) {
    await search(page, title)
    await by('book-row').filter({ hasText: title }).getByTestId('book-open').click()
    await by('book-published').waitFor()
  }
  await one.by('book-published').locator('input').fill('1111')
  await one.by('book-save').click()
  await closed(one.page, 'book-dialog')

  await other.by('book-published').locator('input').fill('2222')
  await other.by('book-save').click()
  await other.by('book-conflict').filter({ hasText: '1111' }).waitFor()
  assert.equal(await other.by('book-published').locator('input').inputValue(), '2222')
  await assertAccessible(other.page, 'the change of the other tab')
  await screenshot(other.page, 'two-tabs')
  await other.by('conflict-keep').click()
  await closed(other.page, 'book-dialog')
  await one.by('book-row').filter({ hasText: '2222' }).waitFor()
  await deleteBook(one.page, title)
  assertNoErrors([...one.errors, ...other.errors])
  await Promise.all([one.page.close(), other.page.close()])
})

test('a search stays in the address and survives a reload', async () => {
  const { page, errors, by } = await openPage(session)
  const title = freshTitle('Lost and found')
  await addBook(page, { title, surname: 'Finder' })
  await search(page, title)
  await until(async () => (await by('book-row').count()) === 1, 'one book found')
  await page.reload()
  await by('book-row').filter({ hasText: title }).waitFor()
  assert.equal(await by('search').locator('input').inputValue(), title)
  await deleteBook(page, title)
  assertNoErrors(errors)
  await page.close()
})

test('one page shows what another one adds, without a reload', async () => {
  const watching = await openPage(session)
  const title = freshTitle('Seen from afar')
  await until(
    async () => (await watching.by('link-state').getAttribute('data-state')) === 'live',
    'the event stream is live',
  )
  await search(watching.page, title)
  await watching.by('books-empty').waitFor()
  const writing = await openPage(session)
  await addBook(writing.page, { title, surname: 'Writer' })
  await watching.by('book-row').filter({ hasText: title }).waitFor()
  await deleteBook(writing.page, title)
  await watching.by('books-empty').waitFor()
  assertNoErrors([...watching.errors, ...writing.errors])
  await Promise.all([watching.page.close(), writing.page.close()])
})
