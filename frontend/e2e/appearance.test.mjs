/** Every page in each look, at every width, in both languages, by keyboard; and its weight. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { LOOKS, PAGES, settled } from './pages.mjs'
import { assertAccessible, assertNoErrors, openPage, screenshot, start, until } from './support.mjs'

const FIRST_PAGE_BYTES_MAX = 300_000
/** Of the sum of all layout shifts; up to 0.1 counts as good elsewhere. */
const JUMPS_MAX = 0.02
let session
before(async () => void (session = await start()))
after(() => session?.close())

function headerIsClear(page) {
  return page.evaluate(() => {
    const bottom = document.querySelector('header').getBoundingClientRect().bottom
    const links = [...document.querySelectorAll('header a')]
    const isInside = links.every((link) => link.getBoundingClientRect().bottom <= bottom)
    return isInside && bottom <= document.querySelector('main').getBoundingClientRect().top + 1
  })
}

/** What reaches beyond the right edge of the screen, for people who have to mend it. */
function beyondTheEdge(page) {
  return page.evaluate(() => {
    const edge = document.documentElement.clientWidth
    if (document.documentElement.scrollWidth <= edge) return []
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > edge + 0.5)
      .map((element) => {
        const { right } = element.getBoundingClientRect()
        return `${Math.round(right - edge)} px: ${element.outerHTML.slice(0, 120)}`
      })
  })
}

/** A resize is answered by scripts, too; what counts is where the page comes to rest. */
async function assertFits(page, width) {
  const isRoomEnough = () =>
    page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement
      return scrollWidth <= clientWidth
    })
  try {
    await until(isRoomEnough, `nothing is wider than ${width} px`)
  } catch (cause) {
    const list = await beyondTheEdge(page)
    throw new Error(`wider than ${width} px:\n${list.join('\n')}`, { cause })
  }
}

for (const [look, options] of Object.entries(LOOKS)) {
  for (const [name, where] of Object.entries(PAGES)) {
    // The made-up server has no lab.
    const skip = where.needsLab && !process.env.CONCORDANCE_URL
    test(`${name}, ${look}: accessible, and nothing wider than the screen`, { skip }, async () => {
      const opened = await openPage(session, where.path, options)
      const { page, errors } = opened
      await settled(opened, where)
      for (const width of [360, 390, 768, 1440, 2560, 3840]) {
        await page.setViewportSize({ width, height: width < 500 ? 844 : 900 })
        await assertFits(page, width)
        assert.ok(await headerIsClear(page), `the header overlaps the content at ${width} px`)
        if (width === 390 || width === 1440) {
          const highContrast = look === 'projector'
          await assertAccessible(page, `${name} at ${width} px, ${look}`, { highContrast })
          await screenshot(page, `${name}-${width}-${look}`)
        }
      }
      // What is remembered would be the look of the next test's page, too.
      await page.evaluate(() => window.localStorage.removeItem('concordance.scheme'))
      assertNoErrors(errors)
      await page.close()
    })
  }
}

/** What moves after it was shown, as a part of the screen; with what moved. */
async function watchJumps(page) {
  await page.addInitScript(() => {
    window.jumps = []
    new PerformanceObserver((list) => {
      for (const { value, sources } of list.getEntries()) {
        const moved = sources.map(({ node, previousRect, currentRect }) => {
          const html = (node?.outerHTML ?? node?.parentElement?.outerHTML ?? '').slice(0, 120)
          return `${Math.round(previousRect.y)} to ${Math.round(currentRect.y)} px: ${html}`
        })
        window.jumps.push({ value, moved })
      }
    }).observe({ type: 'layout-shift', buffered: true })
  })
}

test('nothing on a page jumps while it loads', async () => {
  for (const [name, where] of Object.entries(PAGES)) {
    if (where.needsLab && !process.env.CONCORDANCE_URL) continue
    for (const width of [1440, 390]) {
      const opened = await openPage(session, '/no/such/page')
      await opened.page.setViewportSize({ width, height: 844 })
      await watchJumps(opened.page)
      await opened.page.goto(session.address + where.path)
      await settled(opened, where)
      await opened.page.waitForLoadState('networkidle').catch(() => {})
      const jumps = await opened.page.evaluate(() => window.jumps)
      const total = jumps.reduce((sum, { value }) => sum + value, 0)
      const list = jumps.map(({ value, moved }) => `${value}\n  ${moved.join('\n  ')}`).join('\n')
      assert.ok(total < JUMPS_MAX, `${name} at ${width} px jumps by ${total}:\n${list}`)
      await opened.page.close()
    }
  }
})

test('the language is switched and remembered', async () => {
  const { page, errors, by } = await openPage(session)
  await by('language-menu').click()
  await by('language-es').waitFor()
  await assertAccessible(page, 'the language menu')
  await by('language-es').click()
  await until(async () => (await page.locator('h1').textContent()) === 'Catálogo', 'Spanish')
  assert.equal(await page.locator('html').getAttribute('lang'), 'es')
  assert.equal(await page.evaluate(() => window.localStorage.getItem('concordance.locale')), 'es')
  await page.close()

  const spanish = await openPage(session, '/restore', { locale: 'es' })
  await spanish.page.getByRole('heading', { name: 'Restaurar', level: 1 }).waitFor()
  await screenshot(spanish.page, 'restore-spanish')
  assertNoErrors([...errors, ...spanish.errors])
  await spanish.page.close()
})

test('the colours follow the system, until somebody chooses', async () => {
  const { page, errors, by } = await openPage(session)
  const scheme = () =>
    page.evaluate(() => window.getComputedStyle(document.documentElement).colorScheme)
  await settled({ page, by }, PAGES.catalogue)
  assert.equal(await scheme(), 'light')
  await page.emulateMedia({ colorScheme: 'dark' })
  await until(async () => (await scheme()) === 'dark', 'dark with the system')
  await by('scheme-menu').click()
  await by('scheme-light').click()
  await until(async () => (await scheme()) === 'light', 'light as chosen')
  await page.reload()
  await settled({ page, by }, PAGES.catalogue)
  assert.equal(await scheme(), 'light')
  await page.evaluate(() => window.localStorage.removeItem('concordance.scheme'))
  assertNoErrors(errors)
  await page.close()
})

test('the projector’s look is chosen, larger, and remembered', async () => {
  const { page, errors, by } = await openPage(session, '/rounds')
  const sizes = () =>
    page.evaluate(() => ({
      letters: window.getComputedStyle(document.documentElement).fontSize,
      diagram: document.querySelector('[data-testid="round-diagram"]').getBoundingClientRect()
        .width,
    }))
  await by('round-diagram').waitFor()
  const usual = await sizes()
  await by('scheme-menu').click()
  await by('scheme-projector').waitFor()
  await assertAccessible(page, 'the menu of looks')
  await by('scheme-projector').click()
  await until(async () => (await sizes()).letters === '20px', 'larger letters')
  await page.reload()
  await by('round-diagram').waitFor()
  assert.equal((await sizes()).letters, '20px')
  await page.setViewportSize({ width: 390, height: 844 })
  const narrow = await sizes()
  await by('scheme-menu').click()
  await by('scheme-light').click()
  await until(async () => (await sizes()).diagram < narrow.diagram, 'the diagram follows')
  await until(async () => (await sizes()).letters === usual.letters, 'the usual letters')
  await page.evaluate(() => window.localStorage.removeItem('concordance.scheme'))
  assertNoErrors(errors)
  await page.close()
})

test('a dialog takes the focus, keeps it, and gives it back', async () => {
  const { page, errors, by } = await openPage(session)
  await settled({ page, by }, PAGES.catalogue)
  await by('add-book').focus()
  await page.keyboard.press('Enter')
  await by('book-dialog').waitFor()
  const isInDialog = () =>
    page.evaluate(() => !!document.activeElement?.closest('[data-testid="book-dialog"]'))
  await until(
    () =>
      by('book-title')
        .locator('textarea')
        .first()
        .evaluate((field) => field === document.activeElement),
    'the focus is in the first field',
  )
  await assertAccessible(page, 'the book form')
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press('Tab')
    assert.ok(await isInDialog(), `the focus left the dialog after ${presses + 1} tabs`)
  }
  await page.keyboard.press('Escape')
  await by('book-dialog').waitFor({ state: 'detached' })
  await until(
    () => by('add-book').evaluate((button) => button === document.activeElement),
    'the focus is back',
  )

  await by('book-delete').first().click()
  await until(
    () => by('delete-cancel').evaluate((button) => button === document.activeElement),
    'the focus is on the harmless answer',
  )
  await assertAccessible(page, 'the delete dialog')
  await page.keyboard.press('Escape')
  await by('delete-dialog').waitFor({ state: 'detached' })
  assertNoErrors(errors)
  await page.close()
})

// Fonts for further alphabets come when a title needs them; that is the catalogue's weight, not the page's.
const OTHER_ALPHABETS = /-(latin-ext|cyrillic|cyrillic-ext|greek|greek-ext|vietnamese)-/

test('the first page is light', async () => {
  const page = await session.browser.newPage()
  const sizes = []
  page.on('response', (response) => {
    const { pathname } = new URL(response.url())
    if (pathname.startsWith('/api/') || OTHER_ALPHABETS.test(pathname)) return
    sizes.push(
      response.body().then((body) => {
        const bytes = pathname.endsWith('.woff2') ? body.length : gzipSync(body).length
        return { pathname, bytes }
      }),
    )
  })
  await page.goto(session.address)
  await page.getByTestId('book-table').waitFor()
  await page.waitForLoadState('load')
  const files = await Promise.all(sizes)
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const list = files.map(({ pathname, bytes }) => `${bytes} ${pathname}`).join('\n')
  assert.ok(total < FIRST_PAGE_BYTES_MAX, `${total} bytes compressed:\n${list}`)
  await page.close()
})
