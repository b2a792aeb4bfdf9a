/**
 * What every browser check needs: a server, a browser, a page that fails on console errors, and axe.
 *
 *   CONCORDANCE_URL          the server to check; without it, the mock one with the built page
 *   CONCORDANCE_SCREENSHOTS  a directory for screenshots; without it, none are taken
 *   CONCORDANCE_CHROMIUM     the browser, if it is not /usr/bin/chromium
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { serve } from '../dev/serve.mjs'

const DEADLINE_MS = 15_000
const SCHEME_KEY = 'concordance.scheme'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const axeSource = await readFile(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
)

/** Starts browser and, if none is named, server. Give `after` of node:test the `close` of the result. */
export async function start({ books, url } = {}) {
  const named = url ?? process.env.CONCORDANCE_URL
  const server = named ? null : await serve({ books })
  const profile = await mkdtemp(join(tmpdir(), 'concordance-e2e-'))
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CONCORDANCE_CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
    acceptDownloads: true,
  })
  browser.setDefaultTimeout(DEADLINE_MS)
  return {
    address: (named ?? server.address).replace(/\/$/, ''),
    isMock: !named,
    browser,
    async close() {
      await browser.close()
      await server?.stop()
      await rm(profile, { recursive: true, force: true })
    },
  }
}

/**
 * A fresh page in English and light colours; `scheme` is what somebody chose instead. `errors` gathers what the browser complained about;
 * answers that the check itself provokes may be allowed by their status.
 */
export async function openPage(
  session,
  path = '/',
  { allowedStatuses = [], locale = 'en', scheme = 'system', ...media } = {},
) {
  const page = await session.browser.newPage()
  const errors = []
  page.on('console', (message) => {
    const isAllowed = allowedStatuses.some((status) =>
      message.text().includes(`status of ${status}`),
    )
    if (message.type() === 'error' && !isAllowed) errors.push(message.text())
  })
  page.on('pageerror', (error) => errors.push(String(error)))
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce', ...media })
  const chosen = {
    'concordance.locale': locale,
    ...(scheme === 'system' ? {} : { [SCHEME_KEY]: scheme }),
  }
  await page.addInitScript((entries) => {
    try {
      for (const [key, value] of Object.entries(entries)) window.localStorage.setItem(key, value)
    } catch {
      return
    }
  }, chosen)
  await page.goto(session.address + path)
  return { page, errors, by: (testid) => page.getByTestId(testid) }
}

export function assertNoErrors(errors) {
  assert.deepEqual(errors, [], 'the browser reported errors')
}

/**
 * No violation of WCAG A and AA or of axe's good practice, in light and in dark colours unless somebody chose some; with
 * `highContrast`, all text has 7:1.
 */
export async function assertAccessible(page, what, options = {}) {
  const scheme = () =>
    page.evaluate(() => window.getComputedStyle(document.documentElement).colorScheme)
  const usual = await scheme()
  await assertAccessibleAsItIs(page, `${what}, ${usual}`, options)
  const other = usual === 'dark' ? 'light' : 'dark'
  await page.emulateMedia({ colorScheme: other })
  try {
    await page.evaluate(finishTransitions)
    if ((await scheme()) === other) await assertAccessibleAsItIs(page, `${what}, ${other}`, options)
  } finally {
    await page.emulateMedia({ colorScheme: usual })
    await until(async () => (await scheme()) === usual, `${usual} again`)
    await page.evaluate(finishTransitions)
  }
}

/** Colours in the middle of a transition are nobody's choice. What is inherited may begin to change when its origin has ended. */
async function finishTransitions() {
  for (let frames = 0; frames < 20; frames++) {
    const open = document
      .getAnimations()
      .filter((each) => each.effect?.getComputedTiming().endTime !== Infinity)
    if (frames && !open.length) return
    for (const animation of open) animation.finish()
    await new Promise((resolve) => window.requestAnimationFrame(resolve))
  }
}

async function assertAccessibleAsItIs(page, what, { highContrast = false }) {
  await page.evaluate(finishTransitions)
  await page.evaluate(axeSource)
  const rules = { 'color-contrast-enhanced': { enabled: highContrast } }
  const violations = await page.evaluate(async (rules) => {
    const { violations } = await window.axe.run(document, { rules, resultTypes: ['violations'] })
    return violations.map(({ id, help, nodes }) => ({
      id,
      help,
      nodes: nodes.map((node) => `${node.html}\n  ${node.failureSummary}`),
    }))
  }, rules)
  assert.deepEqual(violations, [], `axe found violations on ${what}`)
}

export async function screenshot(page, name) {
  const directory = process.env.CONCORDANCE_SCREENSHOTS
  if (!directory) return
  await mkdir(directory, { recursive: true })
  await page.screenshot({ path: join(directory, `${name}.png`) })
}

/** Waits until the condition holds; the deadline is the only limit. */
export async function until(condition, what) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    if (await condition()) return
    assert.ok(Date.now() < end, `not within ${DEADLINE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Fills the title and one author of an open book form. */
export async function fillBook(page, { title, name = '', surname }) {
  await page.getByTestId('book-title').locator('textarea').first().fill(title)
  await page.getByTestId('book-author-name').locator('input').first().fill(name)
  await page.getByTestId('book-author-surname').locator('input').first().fill(surname)
}

export async function search(page, words) {
  await page.getByTestId('search').locator('input').fill(words)
}

/** Adds a book through the page and waits until it is committed. */
export async function addBook(page, book) {
  await page.getByTestId('add-book').click()
  await fillBook(page, book)
  await page.getByTestId('book-save').click()
  await closed(page, 'book-dialog')
}

/** Waits until a dialog is gone; if it stays, the failure says what the dialog says. */
export async function closed(page, testid) {
  const dialog = page.getByTestId(testid)
  try {
    await dialog.waitFor({ state: 'detached' })
  } catch (cause) {
    const state = await dialog.getByTestId('save-outcome').getAttribute('data-state')
    const words = await dialog.innerText()
    throw new Error(`${testid} stayed open, ${state}:\n${words}`, { cause })
  }
}

/** Deletes the only book that a search for the title finds. */
export async function deleteBook(page, title) {
  await search(page, title)
  const row = page.getByTestId('book-row').filter({ hasText: title })
  await row.first().getByTestId('book-delete').click()
  await page.getByTestId('delete-confirm').click()
  await closed(page, 'delete-dialog')
}

/** A title that no other book has. */
export function freshTitle(words) {
  return `${words} ${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`
}
