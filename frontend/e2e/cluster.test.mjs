/** The cluster page: members, rounds with their votes, live events, and Replicate. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  addBook,
  assertAccessible,
  assertNoErrors,
  deleteBook,
  freshTitle,
  openPage,
  screenshot,
  start,
  until,
} from './support.mjs'

let session
before(async () => void (session = await start()))
after(() => session?.close())

test('three replicators are in sync and writes are accepted', async () => {
  const { page, errors, by } = await openPage(session, '/cluster')
  await by('member').first().waitFor()
  assert.equal(await by('member').count(), 3)
  await until(
    async () => (await page.locator('[data-testid="member"][data-state="in_sync"]').count()) === 3,
    'all in sync',
  )
  assert.equal(await by('accepting-writes').getAttribute('data-accepting'), 'true')
  assert.equal(await by('coordinator').getAttribute('data-connected'), 'true')
  await assertAccessible(page, 'the cluster page')
  await screenshot(page, 'cluster')
  assertNoErrors(errors)
  await page.close()
})

test('members are changed after a question, and a refusal is shown in the words of the server', async () => {
  const { page, errors, by } = await openPage(session, '/cluster', { allowedStatuses: [409] })
  await by('member').first().waitFor()
  await by('member-remove').first().focus()
  await page.keyboard.press('Enter')
  await by('member-dialog').waitFor()
  await until(
    async () =>
      (await page.evaluate(() => document.activeElement?.textContent?.trim())) === 'Cancel',
    'the way out has the focus',
  )
  await assertAccessible(page, 'the question before a member is removed')
  await screenshot(page, 'member-remove')
  await page.keyboard.press('Escape')
  await by('member-dialog').waitFor({ state: 'detached' })

  await by('member-add').click()
  await by('member-name').locator('input').fill('replicator-1')
  await page.keyboard.press('Enter')
  await by('member-error').waitFor()
  assert.match(await by('member-error').textContent(), /replicator-1 is a member already/)
  await assertAccessible(page, 'the refused question')
  await screenshot(page, 'member-refused')
  await by('member-cancel').click()
  await by('member-dialog').waitFor({ state: 'detached' })
  assert.equal(await by('member').count(), 3)
  assertNoErrors(errors)
  await page.close()
})

test('a change appears as an event and as a round with three votes', async () => {
  const { page, errors, by } = await openPage(session, '/cluster')
  await until(
    async () => (await by('link-state').getAttribute('data-state')) === 'live',
    'the stream is live',
  )
  const writing = await openPage(session)
  const title = freshTitle('A round of its own')
  await addBook(writing.page, { title, surname: 'Voter' })
  await by('event').first().waitFor()
  await by('round').first().waitFor()
  const newest = by('round').first()
  await until(
    async () => (await newest.getAttribute('data-outcome')) === 'committed',
    'the newest round committed',
  )
  await newest.getByTestId('round-open').click()
  await by('round-details').waitFor()
  assert.equal(await by('round-details').getByTestId('vote').count(), 3)
  await assertAccessible(page, 'the cluster page with an open round')
  await screenshot(page, 'cluster-round')

  await by('round-filter').selectOption({ label: 'Aborted' })
  await until(
    async () =>
      (await page.locator('[data-testid="round"][data-outcome="committed"]').count()) === 0,
    'only aborted rounds',
  )
  await deleteBook(writing.page, title)
  assertNoErrors([...errors, ...writing.errors])
  await Promise.all([page.close(), writing.page.close()])
})

test('Replicate with ABORT changes nothing, with COMMIT it publishes or finds nothing to do', async () => {
  const { page, errors, by } = await openPage(session, '/cluster', { allowedStatuses: [409] })
  await by('replicate-count').waitFor()
  const before = await by('local-change').count()
  await by('replicate-abort').check()
  await by('replicate-run').click()
  await by('replicate-aborted').or(by('replicate-done')).waitFor()
  assert.equal(await by('local-change').count(), before)
  await assertAccessible(page, 'the cluster page after Replicate')
  await screenshot(page, 'cluster-replicate')
  if (session.isMock) {
    await by('replicate-commit').check()
    await by('replicate-run').click()
    await by('replicate-done').waitFor()
    await until(async () => (await by('local-change').count()) === 0, 'nothing left to publish')
  }
  assertNoErrors(errors)
  await page.close()
})

test(
  'what is wrong with the cluster is said in words',
  { skip: !!process.env.CONCORDANCE_URL && 'needs the mock server' },
  async () => {
    const { page, errors, by } = await openPage(session, '/cluster')
    const scenario = (name) => page.request.post(`${session.address}/mock/${name}`)
    await by('member').first().waitFor()
    await by('advice-well').waitFor()
    assert.equal(await by('damaged-files').textContent(), '0')
    const said = (kind) => page.locator(`[data-testid="problem"][data-kind="${kind}"]`)
    await scenario('in-doubt')
    await by('in-doubt').waitFor()
    assert.match(await by('to-round').getAttribute('href'), /^\/rounds\/3-\d+$/)
    await screenshot(page, 'cluster-in-doubt')
    await assertAccessible(page, 'the cluster page with a member in doubt')
    await scenario('one-down')
    await page.locator('[data-testid="member"][data-state="down"]').waitFor()
    assert.equal(await by('accepting-writes').getAttribute('data-accepting'), 'false')
    await assertAccessible(page, 'the cluster page with a member down')
    await said('too_few').waitFor()
    const command = said('down').getByText('replicator --id replicator-3 --coordinator ws://')
    await command.waitFor()
    await screenshot(page, 'cluster-one-down')
    await scenario('catching-up')
    await said('catching_up').getByRole('progressbar').waitFor()
    await assertAccessible(page, 'the cluster page with a member that catches up')
    await screenshot(page, 'cluster-catching-up')
    await scenario('damaged')
    await said('damaged').getByText('concordance restore', { exact: true }).waitFor()
    assert.equal(await by('damaged-files').textContent(), '3')
    await assertAccessible(page, 'the cluster page with damaged files')
    await screenshot(page, 'cluster-damaged')
    await scenario('needs-recovery')
    await said('needs_help').getByText('concordance recover', { exact: true }).waitFor()
    await scenario('coordinator-down')
    await by('stale-banner').waitFor()
    await said('unreachable').waitFor()
    assert.equal(await by('problem').count(), 1, 'only what is known is said')
    await assertAccessible(page, 'the cluster page without the coordinator')
    await screenshot(page, 'cluster-stale')
    await scenario('well')
    await by('stale-banner').waitFor({ state: 'detached' })
    await by('advice-well').waitFor()
    await scenario('damaged')
    await by('to-restore').click()
    await by('dry-run').waitFor()
    await scenario('well')
    assertNoErrors(errors)
    await page.close()
  },
)
