/**
 * The page of an app-server that is killed goes on with the next one. Needs a cluster of its own, of real
 * processes from CONCORDANCE_BIN_DIR; skipped without.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { assertAccessible, closed, fillBook, freshTitle } from './support.mjs'
import { openPage, screenshot, search, start, until } from './support.mjs'

const PROGRAMS = process.env.CONCORDANCE_BIN_DIR
const skip = PROGRAMS ? false : 'CONCORDANCE_BIN_DIR names no programs'

let cluster
let session
before(async () => {
  if (skip) return
  cluster = await startCluster()
  session = await start({ url: cluster.pages[0] })
})
after(async () => {
  await session?.close()
  await cluster?.stop()
})

async function freePorts(count) {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(
    listeners.map((listener) => new Promise((done) => listener.once('listening', done))),
  )
  const ports = listeners.map((listener) => listener.address().port)
  await Promise.all(listeners.map((listener) => new Promise((done) => listener.close(done))))
  return ports
}

/** One coordinator, one replicator and two app-servers. */
async function startCluster() {
  const folder = await mkdtemp(join(tmpdir(), 'concordance-servers-'))
  const [coordinator, replicator, ...ports] = await freePorts(4)
  const processes = new Map()
  const run = (program, name, port, ...own) => {
    const common = ['--data', join(folder, name), '--listen', `127.0.0.1:${port}`]
    const words = [...own, ...common, '--exit-with-parent', '--log-level', 'error']
    const child = spawn(join(PROGRAMS, program), words, { stdio: ['pipe', 'ignore', 'inherit'] })
    processes.set(name, child)
  }
  const link = ['--coordinator', `ws://127.0.0.1:${coordinator}`]
  run('coordinator', 'coordinator', coordinator, '--members', 'replicator-1')
  run('replicator', 'replicator-1', replicator, '--id', 'replicator-1', ...link)
  const names = ['app-server', 'app-server-2']
  const startServer = (n) => run('app-server', names[n], ports[n], '--id', names[n], ...link)
  const pages = ports.map((port) => `http://127.0.0.1:${port}`)
  const kill = async (name) => {
    const child = processes.get(name)
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGKILL')
    await gone
  }
  names.forEach((_, n) => startServer(n))
  for (const page of pages) {
    await until(async () => {
      const answer = await fetch(`${page}/api/v1/cluster`).catch(() => null)
      const state = await answer?.json()
      return state?.accepting_writes && state.app_servers.length === names.length
    }, `${page} is ready`)
  }
  return {
    pages,
    startServer,
    kill,
    async stop() {
      await Promise.all(
        [...processes.keys()].map((name) => isOver(processes.get(name)) || kill(name)),
      )
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function isOver(child) {
  return child.exitCode !== null || child.signalCode !== null
}

function titleOf(by) {
  return by('book-title').locator('textarea').first().inputValue()
}

test(
  'the book that was being written when its app-server died is saved through the next',
  { skip },
  async () => {
    const { page, by } = await openPage(session)
    const [first, second] = ['app-server', 'app-server-2']
    const serverId = () => by('server-id').innerText()
    await until(async () => (await serverId()) === first, 'the header names the app-server')
    // The parts of the page that are loaded after its start are there, too.
    const loaded = () => performance.getEntriesByType('resource').map(({ name }) => name)
    const isLoaded = async () =>
      (await page.evaluate(loaded)).some((name) => /ClusterView/.test(name))
    await until(isLoaded, 'the page is loaded')
    await screenshot(page, 'servers-before-1440')

    const title = freshTitle('Written while a server died')
    await by('add-book').click()
    await fillBook(page, { title, name: 'Una', surname: 'Known' })
    await cluster.kill(first)

    // The stream that broke off makes the page look for the next one by itself; the form stays as it is.
    await until(async () => (await serverId()) === second, 'the page has moved on')
    await by('notice').filter({ hasText: second }).waitFor()
    await until(async () => (await by('link-state').getAttribute('data-state')) === 'live', 'live')
    assert.equal(await titleOf(by), title)
    await screenshot(page, 'servers-moved-1440')
    await page.setViewportSize({ width: 390, height: 844 })
    await screenshot(page, 'servers-moved-390')
    await assertAccessible(page, 'the form after the page has moved on')

    await by('book-save').click()
    await closed(page, 'book-dialog')
    await search(page, title)
    await by('book-row').filter({ hasText: title }).first().waitFor()
    await screenshot(page, 'servers-saved-390')
    await page.setViewportSize({ width: 1440, height: 900 })
    await by('nav-cluster').click()
    await by('other-app-servers').getByRole('link', { name: first, exact: true }).waitFor()
    await screenshot(page, 'servers-cluster-1440')

    // The one that comes back catches up; a page that is opened there shows what was saved meanwhile.
    cluster.startServer(0)
    const books = `${cluster.pages[0]}/api/v1/books?q=${encodeURIComponent(title)}`
    await until(async () => {
      const answer = await fetch(books).catch(() => null)
      return answer?.ok && (await answer.json()).total === 1
    }, 'the first app-server has caught up')
  },
)

test('a save that was on its way when the app-server died happens once', { skip }, async () => {
  const { page, by } = await openPage(session)
  await until(async () => (await by('link-state').getAttribute('data-state')) === 'live', 'live')
  const title = freshTitle('Sent while a server died')
  await by('add-book').click()
  await fillBook(page, { title, surname: 'Known' })
  const [here, elsewhere] = cluster.pages
  // The first app-server carries it out, and dies before its answer arrives.
  await page.route(`${here}/api/v1/books`, async (route) => {
    if (route.request().method() !== 'POST') return route.continue()
    await route.fetch()
    await cluster.kill('app-server')
    await route.abort('connectionreset')
  })
  await by('book-save').click()
  await closed(page, 'book-dialog')
  const found = await fetch(`${elsewhere}/api/v1/books?q=${encodeURIComponent(title)}`)
  assert.equal((await found.json()).total, 1)
})
