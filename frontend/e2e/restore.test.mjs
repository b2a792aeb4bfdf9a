/** The restore page: a dry run, its report, and the history. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertAccessible, assertNoErrors, openPage, screenshot, start, until } from './support.mjs'

const DRY_RUN_MS_MAX = 120_000

let session
before(async () => void (session = await start()))
after(() => session?.close())

test('a dry run reports on all replicators and changes nothing', async () => {
  const { page, errors, by } = await openPage(session, '/restore')
  await by('dry-run').click()
  const report = page.locator('[data-testid="restoration-report"][data-state="done"]')
  await report.waitFor({ timeout: DRY_RUN_MS_MAX })
  assert.equal(await report.getAttribute('data-dry-run'), 'true')
  const members = Number(await by('figure-members').textContent())
  assert.ok(members >= 3, `${members} servers were compared`)
  assert.equal(await by('figure-healed').textContent(), '0')
  await until(async () => (await by('history-entry').count()) > 0, 'the report is in the history')
  await assertAccessible(page, 'the report of a dry run')
  await screenshot(page, 'restore-dry-run')
  assertNoErrors(errors)
  await page.close()
})

test('all replicators are made to read their files, and what each found is told', async () => {
  const { page, errors, by } = await openPage(session, '/restore')
  await by('scrub-member').first().waitFor()
  const answered = page.waitForResponse(
    (answer) => answer.url().endsWith('/scrubs') && answer.request().method() === 'POST',
  )
  await by('scrub-run').click()
  assert.equal((await answered).status(), 202)
  await until(async () => (await by('scrub-outcome').count()) >= 3, 'each has read its files')
  await until(() => by('scrub-run').isEnabled(), 'it can be asked for again')
  await assertAccessible(page, 'what the replicators found')
  assertNoErrors(errors)
  await page.close()
})

test(
  'a restore puts right what the dry run found',
  { skip: !!process.env.CONCORDANCE_URL && 'needs the mock server' },
  async () => {
    const { page, errors, by } = await openPage(session, '/restore')
    await by('restore').click()
    await page
      .locator('[data-testid="restoration-report"][data-state="done"][data-dry-run="false"]')
      .waitFor()
    const proven = page.locator('[data-testid="restored-file"][data-verdict="proven"]')
    assert.equal(await proven.locator('[data-action="healed"]').count(), 3)
    assert.match(await proven.textContent(), /quarantine\//)
    assert.equal(await by('restoration-result').getAttribute('data-result'), 'attention')
    await proven.locator('summary').click()
    await proven.getByTestId('compare').first().click()
    await page.locator('.cm-deletedText, .cm-changedText').first().waitFor()
    await assertAccessible(page, 'the report of a restore')
    await screenshot(page, 'restore-report')
    assertNoErrors(errors)
    await page.close()
  },
)
