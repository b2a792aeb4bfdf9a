/**
 * Takes every page at 1440 and 390 px, in light and dark colours, into a directory:
 *
 *   node e2e/screenshots.mjs DIRECTORY [PAGE…]
 *
 * as `<page>-<width>-<look>.png`, of the server at CONCORDANCE_URL; without one, of the made-up server and `dist/`. Each is
 * as long as its page. `scripts/screenshots` starts a cluster for it; the list of pages is in `pages.mjs`.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LOOKS, PAGES, settled } from './pages.mjs'
import { assertNoErrors, openPage, start } from './support.mjs'

const SIZES = [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
]
const SHOWN_LOOKS = ['light', 'dark']
/** What comes after the sign of a page: the rest of its answers, and a layout that answers to them. */
const REST_MS = 400

const [directory, ...names] = process.argv.slice(2)
if (!directory) {
  console.error('Usage: node e2e/screenshots.mjs DIRECTORY [PAGE…]')
  process.exit(2)
}

const session = await start()
try {
  await mkdir(directory, { recursive: true })
  const cluster = await (await fetch(`${session.address}/api/v1/cluster`)).json()
  const shown = Object.entries(PAGES).filter(
    ([name, { needsLab, isNoPage }]) =>
      !isNoPage && (!needsLab || cluster.lab) && (!names.length || names.includes(name)),
  )
  for (const [name, where] of shown) {
    for (const look of SHOWN_LOOKS) await takePage(name, where, look)
  }
} finally {
  await session.close()
}

async function takePage(name, where, look) {
  const opened = await openPage(session, where.path, LOOKS[look])
  for (const size of SIZES) {
    await opened.page.setViewportSize(size)
    await settled(opened, where)
    await opened.page.waitForTimeout(REST_MS)
    const file = join(directory, `${name}-${size.width}-${look}.png`)
    await opened.page.screenshot({ path: file, fullPage: true })
    console.log(file)
  }
  assertNoErrors(opened.errors)
  await opened.page.close()
}
