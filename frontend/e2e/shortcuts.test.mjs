/** The catalogue by keyboard alone, and the warning about an ISBN that is there already. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  assertAccessible,
  assertNoErrors,
  closed,
  deleteBook,
  fillBook,
  freshTitle,
  openPage,
  screenshot,
  start,
  until,
} from './support.mjs'

let session
before(async () => void (session = await start()))
after(() => session?.close())

function hasFocus(locator) {
  return locator.evaluate((element) => element.contains(document.activeElement))
}

test('every shortcut does what the list of shortcuts says', async () => {
  const { page, errors, by } = await openPage(session)
  await by('book-row').first().waitFor()
  await page.keyboard.press('?')
  await by('shortcuts-dialog').waitFor()
  await assertAccessible(page, 'the list of shortcuts')
  await screenshot(page, 'shortcuts')
  await page.keyboard.press('Escape')
  await by('shortcuts-dialog').waitFor({ state: 'detached' })

  await page.keyboard.press('/')
  await until(() => hasFocus(by('search')), 'the search has the focus')
  await page.keyboard.press('n')
  assert.equal(
    await by('search').locator('input').inputValue(),
    'n',
    'a key that is typed is typed',
  )
  await by('search').locator('input').fill('')
  await by('search')
    .locator('input')
    .evaluate((input) => input.blur())

  await page.keyboard.press('n')
  await by('book-dialog').waitFor()
  await page.keyboard.press('Escape')
  await by('book-dialog').waitFor({ state: 'detached' })

  await page.evaluate(() => document.activeElement.blur())
  await page.keyboard.press('ArrowDown')
  await until(() => hasFocus(by('book-row').first()), 'the first row has the focus')
  for (let presses = 0; presses < 30; presses++) await page.keyboard.press('ArrowDown')
  const row = page.locator('[aria-rowindex="32"]')
  await until(
    async () => (await row.count()) === 1 && hasFocus(row),
    'row after row, out of sight too',
  )
  await page.keyboard.press('Delete')
  await by('delete-dialog').waitFor()
  await page.keyboard.press('Escape')
  await by('delete-dialog').waitFor({ state: 'detached' })
  await until(() => hasFocus(row), 'the row has the focus again')
  await page.keyboard.press('Enter')
  await by('book-dialog').waitFor()
  await page.keyboard.press('Escape')
  assertNoErrors(errors)
  await page.close()
})

test('an ISBN that another book has is pointed out, and saved all the same', async () => {
  const { page, errors, by } = await openPage(session)
  const isbn = '9780140449266'
  const titles = [
    freshTitle('The first with this number'),
    freshTitle('The second with this number'),
  ]
  for (const [place, title] of titles.entries()) {
    await by('add-book').click()
    await fillBook(page, { title, surname: 'Twin' })
    await by('book-isbn').locator('input').fill('978-0-14-044926-6')
    if (place === 1) {
      await by('isbn-twins').filter({ hasText: titles[0] }).waitFor()
      await assertAccessible(page, 'the warning about the ISBN')
      await screenshot(page, 'isbn-twins')
      await by('book-isbn').locator('input').fill('978-0-14-044926')
      await by('isbn-twins').waitFor({ state: 'detached' })
      await by('book-isbn').locator('input').fill(isbn)
      await by('isbn-twins').waitFor()
    }
    await by('book-save').click()
    await closed(page, 'book-dialog')
  }
  for (const title of titles) await deleteBook(page, title)
  assertNoErrors(errors)
  await page.close()
})
