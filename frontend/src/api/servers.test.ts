import { beforeEach, describe, expect, it, vi } from 'vitest'
import { response } from '@/testing/answers'
import { Servers, type Move } from './servers'

const HOME = 'http://127.0.0.1:7400'
const SECOND = 'http://127.0.0.1:7401'
const THIRD = 'http://127.0.0.1:7402'

beforeEach(() => localStorage.clear())

/** Three app-servers of which some are gone; notes what each was asked. */
function cluster(...gone: string[]) {
  const down = new Set(gone)
  const asked: Request[] = []
  let status = 200
  vi.stubGlobal('fetch', async (request: Request) => {
    asked.push(request)
    const { origin } = new URL(request.url)
    if (down.has(origin)) throw new TypeError('Failed to fetch')
    return response(status, {}, { 'Concordance-Version': '17' })
  })
  const servers = new Servers(HOME)
  const moves: Move[] = []
  servers.observe((move) => moves.push(move))
  const answerWith = (next: number) => void (status = next)
  const addresses = () => asked.map(({ url }) => url)
  return { servers, moves, down, asked, addresses, answerWith }
}

function told(id = 'app-server') {
  return {
    app_server: { id },
    app_servers: [
      { id: 'app-server', address: HOME, connected: true },
      { id: 'app-server-2', address: SECOND, connected: true },
      { id: 'app-server-3', address: THIRD, connected: true },
    ],
  }
}

const get = (path = '/books') => new Request(`${HOME}/api/v1${path}`)

function write(path: string, key?: string) {
  const headers = { 'Content-Type': 'application/json', ...(key && { 'Idempotency-Key': key }) }
  return new Request(`${HOME}/api/v1${path}`, { method: 'POST', headers, body: '{"title":"Emma"}' })
}

describe('the app-servers', () => {
  it('are not asked while the own one answers, whatever it answers', async () => {
    const { servers, moves, asked, answerWith } = cluster()
    servers.learn(told())
    answerWith(503)
    const answer = await servers.ask(get())
    expect(answer.status).toBe(503)
    expect(asked).toHaveLength(1)
    expect(asked[0]!.headers.has('Concordance-At-Least-Version')).toBe(false)
    expect(moves).toEqual([])
  })

  it('are asked in turn when one gives no answer, and the page stays with the one that does', async () => {
    const { servers, moves, addresses } = cluster(HOME, SECOND)
    servers.learn(told())
    await servers.ask(get('/books?q=Emma'))
    await servers.ask(get())
    expect(addresses()).toEqual([
      ...[HOME, SECOND, THIRD].map((address) => `${address}/api/v1/books?q=Emma`),
      `${THIRD}/api/v1/books`,
    ])
    expect(moves).toEqual([{ id: 'app-server-3', address: THIRD }])
    expect(servers.address('/api/v1/events')).toBe(`${THIRD}/api/v1/events`)
  })

  it('are left as they were when none answers', async () => {
    const { servers, moves } = cluster(HOME, SECOND, THIRD)
    servers.learn(told())
    await expect(servers.ask(get())).rejects.toThrow(TypeError)
    expect(moves).toEqual([])
    expect(servers.address('/api/v1/events')).toBe('/api/v1/events')
  })

  it('are asked after a move for at least the version that was seen before it', async () => {
    const { servers, down, asked } = cluster()
    servers.learn(told())
    await servers.ask(get())
    down.add(HOME)
    await servers.ask(get())
    await servers.ask(get('/books/b'))
    await servers.ask(get('/cluster'))
    const versions = asked.map(({ headers }) => headers.get('Concordance-At-Least-Version'))
    expect(versions).toEqual([null, null, '17', '17', null])
  })

  it('get a write again under its key, with all that it says', async () => {
    const { servers, asked } = cluster(HOME)
    servers.learn(told())
    const answer = await servers.ask(write('/books', 'k'))
    expect(asked.map(({ method }) => method)).toEqual(['POST', 'POST'])
    const again = asked[1]!
    expect(new URL(again.url).origin).toBe(SECOND)
    expect(again.headers.get('Idempotency-Key')).toBe('k')
    expect(again.headers.get('Content-Type')).toBe('application/json')
    expect(await again.text()).toBe('{"title":"Emma"}')
    expect(servers.cameAfterSilence(answer)).toBe(true)
  })

  it('get no write again that has no key, nor one that is for one server alone', async () => {
    const { servers, asked } = cluster(HOME)
    servers.learn(told())
    for (const request of [
      write('/books'),
      write('/replications', 'k'),
      write('/restorations', 'k'),
    ]) {
      await expect(servers.ask(request)).rejects.toThrow(TypeError)
    }
    expect(asked).toHaveLength(3)
  })

  it('are not asked for what nobody wants any longer', async () => {
    const { servers, moves } = cluster()
    servers.learn(told())
    const asked = vi.fn(() => Promise.reject(new DOMException('gone', 'AbortError')))
    vi.stubGlobal('fetch', asked)
    await expect(servers.ask(get())).rejects.toThrow('gone')
    expect(asked).toHaveBeenCalledOnce()
    expect(moves).toEqual([])
  })

  it('are not moved between by an answer that was under way while the page moved on', async () => {
    const { servers, moves } = cluster()
    servers.learn(told())
    let answerLate!: (answer: Response) => void
    const late = new Promise<Response>((resolve) => (answerLate = resolve))
    vi.stubGlobal('fetch', () => late)
    const slow = servers.ask(get())
    vi.stubGlobal('fetch', async ({ url }: Request) => {
      if (url.startsWith(HOME)) throw new TypeError('Failed to fetch')
      return response(200, {})
    })
    await servers.ask(get())
    answerLate(response(200, {}))
    await slow
    expect(moves).toEqual([{ id: 'app-server-2', address: SECOND }])
    expect(servers.address('/x')).toBe(`${SECOND}/x`)
  })

  it('are moved back to when the one that was moved to is gone', async () => {
    const { servers, moves, down } = cluster(HOME)
    servers.learn(told())
    await servers.ask(get())
    servers.learn(told('app-server-2'))
    down.clear()
    down.add(SECOND)
    await servers.ask(get())
    expect(moves.at(-1)).toEqual({ id: 'app-server', address: '' })
  })

  it('are remembered by the browser, and what is no address is not', async () => {
    cluster().servers.learn(told())
    const { servers, moves } = cluster(HOME)
    await servers.ask(get())
    expect(moves).toEqual([{ id: 'app-server-2', address: SECOND }])

    for (const kept of [
      '[{"id":"a","address":"javascript:alert(1)"}]',
      '[{"id":"a","address":"http://a/b"}]',
      '[null,1,{}]',
      '{}',
      'not JSON',
    ]) {
      localStorage.setItem('concordance.app-servers', kept)
      const { servers: fresh, asked } = cluster(HOME)
      await expect(fresh.ask(get())).rejects.toThrow(TypeError)
      expect(asked, kept).toHaveLength(1)
    }
  })

  it('are asked first where the coordinator sees them', async () => {
    const { servers, moves } = cluster(HOME)
    const { app_server, app_servers } = told()
    app_servers[1]!.connected = false
    servers.learn({ app_server, app_servers })
    await servers.ask(get())
    expect(moves).toEqual([{ id: 'app-server-3', address: THIRD }])
  })

  it('do not have the own one among them under another of its names', async () => {
    const { servers, asked } = cluster(HOME)
    servers.learn({
      app_server: { id: 'app-server' },
      app_servers: [{ id: 'app-server', address: 'http://books.example', connected: true }],
    })
    await expect(servers.ask(get())).rejects.toThrow(TypeError)
    expect(asked).toHaveLength(1)
  })
})
