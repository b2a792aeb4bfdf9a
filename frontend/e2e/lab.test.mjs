/** The lab, on a real cluster of `concordance up --lab`: guided scenarios, processes, steps, damage and load. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  addBook,
  assertAccessible,
  assertNoErrors,
  deleteBook,
  fillBook,
  freshTitle,
  openPage,
  screenshot,
  start,
  until,
} from './support.mjs'

const skip = !process.env.CONCORDANCE_URL && 'needs a real cluster'
/** A coordinator may have to be waited for, and an answer that does not come. */
const SCENARIO_MS_MAX = 90_000
/** What a browser says of answers that a scenario provokes: refused, aborted, and nobody there to ask. */
const PROVOKED = [404, 409, 503]

let session
before(async () => void (session = await start()))
after(() => session?.close())

/** Waits longer than for anything that the page does by itself. */
async function eventually(condition, what) {
  const end = Date.now() + SCENARIO_MS_MAX
  for (;;) {
    try {
      return await until(condition, what)
    } catch (cause) {
      if (Date.now() > end) throw cause
    }
  }
}

/** Whether a change of colours has reached the editor, which is large. */
function areLineNumbersMuted() {
  const colour = (element) => window.getComputedStyle(element).color
  const muted = colour(document.querySelector('.muted'))
  return [...document.querySelectorAll('.cm-gutterElement')].every((each) => colour(each) === muted)
}

async function openLab(options = {}) {
  const opened = await openPage(session, '/lab', { allowedStatuses: PROVOKED, ...options })
  await opened.by('lab-services').waitFor()
  return opened
}

const SCENARIOS = ['minority', 'doubt', 'refusal', 'staleMajority', 'lateJoiner', 'lostDecision']

for (const name of SCENARIOS) {
  test(`the scenario ${name} happens as it says`, { skip }, async () => {
    const { page, errors, by } = await openLab()
    await by(`scenario-${name}`).click()
    const run = by('scenario-run')
    await eventually(async () => {
      const isShown = await run.count()
      return isShown && (await run.getAttribute('data-verdict')) !== null
    }, `${name} has ended`)
    const words = await run.innerText()
    assert.equal(await run.getAttribute('data-verdict'), 'passed', words)
    await assertAccessible(page, `the scenario ${name}`)
    await screenshot(page, `lab-${name}`)
    assertNoErrors(errors)
    await page.close()
  })
}

test('the lab is announced on every page, and accessible in both colours', { skip }, async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, errors, by } = await openPage(session, '/', { colorScheme })
    await by('lab-banner').getByRole('link').click()
    await by('lab-services').waitFor()
    await assertAccessible(page, `the lab, ${colorScheme}`)
    assertNoErrors(errors)
    await page.close()
  }
})

test('a replicator is killed, stays dead and is started again', { skip }, async () => {
  const { page, errors, by } = await openLab()
  const service = page.locator('[data-service="replicator-2"]')
  const state = () => service.getAttribute('data-state')
  await service.getByTestId('lab-kill').click()
  await until(async () => (await state()) === 'dead', 'it is dead')
  await assertAccessible(page, 'the lab with a dead replicator')
  await service.getByTestId('lab-start').click()
  await until(async () => (await state()) === 'running', 'it runs')
  await service.getByTestId('lab-pause').click()
  await until(async () => (await state()) === 'paused', 'it stands still')
  await service.getByTestId('lab-resume').click()
  await until(async () => (await state()) === 'running', 'it goes on')
  await page.goto(`${session.address}/cluster`)
  await eventually(
    async () => (await page.locator('[data-testid="member"][data-state="in_sync"]').count()) === 3,
    'all are in sync again',
  )
  assert.equal(await by('member').count(), 3)
  assertNoErrors(errors)
  await page.close()
})

test(
  'a death that was armed is shown until it is taken back, and then does not come',
  { skip },
  async () => {
    const { page, errors, by } = await openLab()
    await by('lab-crash-point').selectOption('first_commit_sent')
    await by('lab-crash').click()
    await by('lab-armed').waitFor()
    await assertAccessible(page, 'a coordinator that is to die')
    await page.reload()
    await by('lab-armed').waitFor()
    assert.match(await by('lab-armed').innerText(), /after the first commit message/)
    await by('lab-disarm').click()
    await by('lab-armed').waitFor({ state: 'detached' })
    const before = await (await page.request.get(`${session.address}/api/v1/cluster`)).json()
    const writing = await openPage(session)
    const title = freshTitle('It does not die')
    await addBook(writing.page, { title, surname: 'Living' })
    await deleteBook(writing.page, title)
    const after = await (await page.request.get(`${session.address}/api/v1/cluster`)).json()
    assert.equal(after.epoch, before.epoch, 'it is the same coordinator')
    assertNoErrors([...errors, ...writing.errors])
    await Promise.all([page.close(), writing.page.close()])
  },
)

test('a round waits for each of its messages to be released', { skip }, async () => {
  const { page, errors, by } = await openLab()
  await by('steps-toggle').click()
  await until(
    async () => (await by('lab-steps').getAttribute('data-on')) === 'true',
    'steps are on',
  )
  const writing = await openPage(session)
  const title = freshTitle('Step by step')
  await writing.by('add-book').click()
  await fillBook(writing.page, { title, surname: 'Stepped' })
  await writing.by('book-save').click()
  await until(async () => (await by('held-message').count()) === 3, 'three prepares are held')
  assert.match(await by('held-message').first().innerText(), /prepare/)
  await assertAccessible(page, 'held messages')
  await screenshot(page, 'lab-steps')
  await by('steps-all').click()
  await until(
    async () => /vote: commit/.test(await by('lab-steps').innerText()),
    'votes arrive and are held',
  )
  const doubt = page.locator('[data-testid="round-states"] [data-is="asked"]')
  assert.equal(await doubt.count(), 3, 'the coordinator has heard nothing of them yet')
  assert.ok(await writing.by('book-dialog').isVisible(), 'whoever saves has no answer yet')
  await eventually(async () => {
    if (!(await writing.by('book-dialog').count())) return true
    const next = by('steps-next')
    if ((await next.count()) && (await next.isEnabled())) await next.click().catch(() => {})
    return false
  }, 'whoever saves has an answer once every message was released')
  await by('steps-toggle').click()
  await until(
    async () => (await by('lab-steps').getAttribute('data-on')) === 'false',
    'steps are off',
  )
  await deleteBook(writing.page, title)
  assertNoErrors([...errors, ...writing.errors])
  await Promise.all([page.close(), writing.page.close()])
})

/** Once a scrub has found it, the catalogue names the book. */
async function assertShownInCatalogue(lab) {
  await lab.request.post(`${session.address}/api/v1/scrubs`)
  const { page, errors, by } = await openPage(session)
  await by('damaged-copies').first().waitFor()
  assert.match(await by('damaged-copies').first().getAttribute('title'), /replicator-3/)
  await assertAccessible(page, 'a book with a damaged copy')
  await page.setViewportSize({ width: 390, height: 844 })
  await assertAccessible(page, 'a book with a damaged copy on a phone')
  await screenshot(page, 'catalogue-damaged-390')
  assertNoErrors(errors)
  await page.close()
}

test('a file is damaged here and put right by a restore', { skip }, async () => {
  const { page, errors, by } = await openLab()
  await by('damage-replicator-3').check()
  await by('damage-how').selectOption('truncate')
  await until(async () => (await by('damage-book').inputValue()) !== '', 'there is a book')
  await by('damage-run').click()
  await by('damage-done').waitFor()
  await assertAccessible(page, 'a damaged file')
  await assertShownInCatalogue(page)
  await by('damage-done').getByRole('link').click()
  const finding = page.locator('[data-member="replicator-3"] [data-testid="scrub-finding"]')
  await finding.first().waitFor()
  assert.match(await finding.first().innerText(), /Damaged/)
  await assertAccessible(page, 'the files that a scrub found damaged')
  await by('restore').click()
  await page
    .locator('[data-testid="restoration-report"][data-dry-run="false"] [data-action="healed"]')
    .first()
    .waitFor({ timeout: SCENARIO_MS_MAX })
  await by('compare').first().click()
  await page.locator('.cm-deletedText, .cm-changedText, .cm-changedLine').first().waitFor()
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    await until(() => page.evaluate(areLineNumbersMuted), `${colorScheme} colours everywhere`)
    await assertAccessible(page, `two copies side by side, ${colorScheme}`)
  }
  await screenshot(page, 'restore-comparison')
  assertNoErrors(errors)
  await page.close()
})

test(
  'a coordinator dies while somebody saves: nothing is guessed, and nothing that was typed is lost',
  { skip },
  async () => {
    const { page, errors, by } = await openPage(session, '/', { allowedStatuses: PROVOKED })
    const lab = (path, data) => page.request.post(`${session.address}/api/v1/lab/${path}`, { data })
    const title = freshTitle('While the coordinator dies')
    await by('add-book').click()
    await fillBook(page, { title, surname: 'Unknown' })
    const armed = await lab('coordinator/crash-at', { point: 'decision_durable', stay_dead: true })
    assert.equal(armed.status(), 204)
    await by('book-save').click()
    await by('stale-banner').waitFor()
    const state = () => by('save-outcome').getAttribute('data-state')
    await until(
      async () => (await by('save-outcome').count()) && (await state()) === 'unknown',
      'unknown',
    )
    assert.equal(await by('book-title').locator('textarea').first().inputValue(), title)
    await assertAccessible(page, 'a save of which nothing is known')
    await screenshot(page, 'save-unknown')
    await lab('services/coordinator', { action: 'start' })
    await by('stale-banner').waitFor({ state: 'detached' })
    await eventually(
      async () => (await by('book-dialog').count()) === 0,
      'it turns out to be committed, which the page finds out by itself',
    )
    await deleteBook(page, title)
    assertNoErrors(errors)
    await page.close()
  },
)

test('load ends with a verdict, and leaves nothing behind', { skip }, async () => {
  const { page, errors, by } = await openLab()
  await by('load-seconds').fill('2')
  await by('load-run').click()
  await by('load-verdict').waitFor({ timeout: SCENARIO_MS_MAX })
  assert.equal(
    await by('load-verdict').getAttribute('data-good'),
    'true',
    await by('load-verdict').innerText(),
  )
  assert.ok(Number((await by('load-committed').locator('dd').innerText()).replace(/\D/g, '')) > 0)
  await assertAccessible(page, 'the load')
  await by('load').scrollIntoViewIfNeeded()
  await screenshot(page, 'lab-load')
  await by('load-remove').click()
  await eventually(
    async () => (await by('load').getAttribute('data-phase')) === 'idle',
    'its books are removed',
  )
  assertNoErrors(errors)
  await page.close()
})
