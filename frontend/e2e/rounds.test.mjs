/** The page of rounds: live, chosen, replayed, found again by its link, and saved. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
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
let writing
const title = freshTitle('A round to look at')
before(async () => {
  session = await start()
  writing = await openPage(session)
  await addBook(writing.page, { title, surname: 'Voter' })
})
after(async () => {
  await deleteBook(writing.page, title)
  assertNoErrors(writing.errors)
  await session?.close()
})

/** The sheet shows a committed round with the acknowledgements of all three. */
async function committedRound(page, by) {
  const isCommitted = async () =>
    (await by('round-diagram').getAttribute('data-outcome')) === 'committed' &&
    (await page.locator('[data-testid="diagram-message"][data-kind="acknowledge"]').count()) === 3
  await by('round-diagram').waitFor()
  await until(isCommitted, 'a committed round that all have acknowledged')
}

test('the newest round is drawn with each prepare, vote, outcome and acknowledgement', async () => {
  const { page, errors, by } = await openPage(session, '/rounds')
  await committedRound(page, by)
  for (const [kind, count] of Object.entries({ prepare: 3, vote: 3, tell: 3, answer: 1 })) {
    const found = page.locator(`[data-testid="diagram-message"][data-kind="${kind}"]`)
    assert.equal(await found.count(), count, kind)
  }
  assert.equal(await by('sync-mark').count(), 7, 'three votes, one decision, three outcomes')
  await assertAccessible(page, 'a round')
  await screenshot(page, 'round')
  await by('axis-scale').check()
  await assertAccessible(page, 'a round to scale')
  await screenshot(page, 'round-to-scale')
  assertNoErrors(errors)
  await page.close()
})

test('a round that happens while it is watched appears by itself', async () => {
  const { page, errors, by } = await openPage(session, '/rounds')
  await committedRound(page, by)
  const before = await by('round-diagram').getAttribute('data-round')
  const second = freshTitle('While somebody watches')
  await addBook(writing.page, { title: second, surname: 'Watched' })
  await until(
    async () => (await by('round-diagram').getAttribute('data-round')) !== before,
    'the next round is drawn',
  )
  await deleteBook(writing.page, second)
  assertNoErrors(errors)
  await page.close()
})

test('a round is replayed by keyboard, and says who is in doubt on the way', async () => {
  const { page, errors, by } = await openPage(session, '/rounds')
  await committedRound(page, by)
  await by('round-row').first().click()
  await page.waitForURL(/\/rounds\/\d+-\d+$/)
  await by('replay-first').click()
  await until(
    async () =>
      (await page.locator('[data-testid="round-states"] [data-is="asked"]').count()) === 3,
    'nobody has been asked yet',
  )
  await by('replay-slider').focus()
  const doubt = page.locator('[data-testid="round-states"] [data-is="doubt"]')
  for (let presses = 0; presses < 40 && (await doubt.count()) < 3; presses++) {
    await page.keyboard.press('ArrowRight')
  }
  assert.equal(await doubt.count(), 3, 'all three are in doubt before the decision')
  assert.match(await doubt.first().textContent(), /voted commit at .* has not heard the decision/)
  await assertAccessible(page, 'a round in the middle of its replay')
  await screenshot(page, 'round-replayed')
  await page.keyboard.press('End')
  await until(async () => (await doubt.count()) === 0, 'nobody is in doubt at the end')
  await by('round-step').first().click()
  await until(async () => (await by('replay-slider').inputValue()) === '0', 'a step is shown')
  assertNoErrors(errors)
  await page.close()
})

test('a link opens the same round again; one that is not kept is explained', async () => {
  const { page, errors, by } = await openPage(session, '/rounds', { allowedStatuses: [404] })
  await committedRound(page, by)
  const id = await by('round-diagram').getAttribute('data-round')
  await page.goto(`${session.address}/rounds/${id}`)
  await committedRound(page, by)
  assert.equal(await by('round-diagram').getAttribute('data-round'), id)
  await page.goto(`${session.address}/rounds/1-999999`)
  await by('round-missing').waitFor()
  await assertAccessible(page, 'a round that is not kept')
  await by('round-follow').click()
  await committedRound(page, by)
  assertNoErrors(errors)
  await page.close()
})

test('rounds are found by outcome and by words', async () => {
  const { page, errors, by } = await openPage(session, '/rounds')
  await committedRound(page, by)
  const id = await by('round-diagram').getAttribute('data-round')
  await by('round-search').fill(id)
  await until(async () => (await by('round-row').first().getAttribute('data-round')) === id, id)
  await by('round-outcome-filter').selectOption({ label: 'In flight' })
  await page.getByText('No round is like that').waitFor()
  assertNoErrors(errors)
  await page.close()
})

test('a round is saved as a picture, as Mermaid and as data', async () => {
  const { page, errors, by } = await openPage(session, '/rounds')
  await committedRound(page, by)
  const id = await by('round-diagram').getAttribute('data-round')
  await page.goto(`${session.address}/rounds/${id}`)
  await committedRound(page, by)
  async function saved(format) {
    const download = page.waitForEvent('download')
    await by('round-export').click()
    await by(`round-export-${format}`).click()
    const file = await download
    return [file.suggestedFilename(), await readFile(await file.path(), 'utf8')]
  }
  const [svgName, svg] = await saved('svg')
  assert.equal(svgName, `round-${id}.svg`)
  const problem = await page.evaluate((text) => {
    const parsed = new window.DOMParser().parseFromString(text, 'image/svg+xml')
    const isBare = !parsed.querySelector('[class], [style]')
    const line = parsed.querySelector('line')?.getAttribute('stroke') ?? ''
    return (parsed.querySelector('parsererror')?.textContent ?? '') || (isBare && line ? '' : line)
  }, svg)
  assert.equal(problem, '', 'the picture stands alone')
  const [, mermaid] = await saved('mermaid')
  assert.match(mermaid, /^sequenceDiagram\n {2}participant p0 as app-server/)
  const [, json] = await saved('json')
  assert.equal(JSON.parse(json).id, id)
  assertNoErrors(errors)
  await page.close()
})
