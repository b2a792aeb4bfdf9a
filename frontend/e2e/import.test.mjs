/** Import: good rows in, bad ones listed; or nothing at all, if that was chosen. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import {
  assertAccessible,
  assertNoErrors,
  deleteBook,
  freshTitle,
  openPage,
  screenshot,
  search,
  start,
} from './support.mjs'

let session
before(async () => void (session = await start()))
after(() => session?.close())

function csv(title) {
  const rows = [
    'title,author,isbn',
    `${title},Ann Example,9780141439518`,
    ',Nobody,',
    `${title} again,Ben Example,9780141439519`,
  ]
  return { name: 'books.csv', mimeType: 'text/csv', buffer: Buffer.from(rows.join('\n')) }
}

test('good rows are imported and bad rows are listed, to be downloaded', async () => {
  const { page, errors, by } = await openPage(session)
  const title = freshTitle('Imported')
  await by('import').click()
  await by('import-dialog').waitFor()
  await assertAccessible(page, 'the import dialog')
  await by('import-file').setInputFiles(csv(title))
  await screenshot(page, 'import-chosen')
  await by('import-start').click()
  await by('import-result').waitFor()
  assert.equal(await by('import-result').getAttribute('data-imported'), '1')
  assert.equal(await by('import-result').getAttribute('data-failed'), '2')
  assert.equal(await by('import-row-error').count(), 2)
  await assertAccessible(page, 'the result of an import')
  await screenshot(page, 'import-result')

  const download = page.waitForEvent('download')
  await by('import-errors-download').click()
  const text = await readFile(await (await download).path(), 'utf8')
  assert.equal(text.trim().split('\r\n').length, 3)

  await by('import-close').click()
  await search(page, title)
  await by('book-row').filter({ hasText: title }).waitFor()
  await deleteBook(page, title)
  assertNoErrors(errors)
  await page.close()
})

test('nothing is imported when one row is not valid and that was asked for', async () => {
  const { page, errors, by } = await openPage(session, '/', { allowedStatuses: [422] })
  const title = freshTitle('Not imported')
  await by('import').click()
  await by('import-file').setInputFiles(csv(title))
  await by('import-fail').check()
  await by('import-start').click()
  await by('import-refused').waitFor()
  assert.equal(await by('import-row-error').count(), 2)
  await by('import-close').click()
  await search(page, title)
  await by('books-empty').waitFor()
  assertNoErrors(errors)
  await page.close()
})

test('the whole catalogue is exported as XML and as CSV', async () => {
  const { page, errors, by } = await openPage(session)
  for (const format of ['xml', 'csv']) {
    await by('export-menu').click()
    const link = by(`export-${format}`)
    await link.waitFor()
    if (format === 'xml') await assertAccessible(page, 'the export menu')
    const address = await link.getAttribute('href')
    const response = await page.request.get(session.address + address)
    assert.equal(response.status(), 200)
    assert.match(response.headers()['content-type'], new RegExp(format))
    await page.keyboard.press('Escape')
    await link.waitFor({ state: 'hidden' })
  }
  assertNoErrors(errors)
  await page.close()
})
