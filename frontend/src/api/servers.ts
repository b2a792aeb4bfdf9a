/**
 * Which app-server the page talks to. It begins with its own; when that one gives no answer at all, the
 * next one is asked, and the page stays there. What must not be done twice goes on only under its key,
 * and what concerns one server alone does not go on.
 */

export interface KnownServer {
  id: string
  /** Where it is: an origin, such as `http://127.0.0.1:7401`. */
  address: string
}

/** The server that the page has moved to; `address` is empty for the page's own. */
export interface Move {
  id: string
  address: string
}

/** What the cluster's answer says of app-servers. */
interface ToldServers {
  app_server: { id: string }
  app_servers?: { id: string; address: string | null; connected: boolean }[]
}

const STORAGE_KEY = 'concordance.app-servers'
const AT_LEAST = 'Concordance-At-Least-Version'
/** Writes that every app-server knows again by their key. The others are one server's own. */
const KEYED_WRITES = /^\/api\/v1\/(books|imports)(\/|$)/
/** Reads that can be asked to show at least a version. */
const VERSIONED_READS = /^\/api\/v1\/(books|exports)(\/|$)/

export class Servers {
  private readonly home: string
  private homeId: string | null = null
  private current: string
  private others: KnownServer[]
  /** The newest version that any answer showed, for the server that the page moves to. */
  private version = 0
  private hasMoved = false
  private readonly doubtful = new WeakSet<Response>()
  private onMove: (move: Move) => void = () => {}

  constructor(home: string) {
    this.home = home
    this.current = home
    this.others = recalled().filter(({ address }) => address !== home)
  }

  /** Registers the one who is told of moves. */
  observe(onMove: (move: Move) => void): void {
    this.onMove = onMove
  }

  /** Learns the others from what the current server says of the cluster. */
  learn(told: ToldServers): void {
    if (this.current === this.home) this.homeId = told.app_server.id
    if (!told.app_servers) return
    const isOther = ({ id, address }: { id: string; address: string | null }) =>
      address !== null && isOrigin(address) && address !== this.home && id !== this.homeId
    const others = told.app_servers.filter(isOther)
    others.sort((one, other) => Number(other.connected) - Number(one.connected))
    this.others = others.map(({ id, address }) => ({ id, address: address! }))
    remember(this.others)
  }

  /** An address of the current server, for what is not asked by `ask`. */
  address(path: string): string {
    return this.current === this.home ? path : this.current + path
  }

  /** Asks the current server, and the next one when no answer comes. */
  async ask(request: Request): Promise<Response> {
    const addresses = mayGoOn(request) ? this.addresses() : [this.current]
    const body = addresses.length > 1 ? await bodyOf(request) : undefined
    let silence: unknown
    let isSilent = false
    for (const address of addresses) {
      try {
        // Looked up at each call, so that a test can put another `fetch` in its place.
        const response = await globalThis.fetch(this.readdressed(request, address, body))
        this.noteVersion(response)
        if (isSilent) {
          // A server that gave no answer may still have done what it was asked to.
          this.doubtful.add(response)
          this.moveTo(address)
        }
        return response
      } catch (cause) {
        if (cause instanceof Error && cause.name === 'AbortError') throw cause
        silence = cause
        isSilent = true
      }
    }
    throw silence
  }

  /** Whether another server was asked for the same before, and gave no answer. */
  cameAfterSilence(response: Response): boolean {
    return this.doubtful.has(response)
  }

  /** The current one first. */
  private addresses(): string[] {
    return [...new Set([this.current, this.home, ...this.others.map(({ address }) => address)])]
  }

  private noteVersion(response: Response): void {
    const version = Number(response.headers.get('Concordance-Version'))
    if (version > this.version) this.version = version
  }

  private moveTo(address: string): void {
    if (address === this.current) return
    this.current = address
    this.hasMoved = true
    const isHome = address === this.home
    const known = this.others.find((other) => other.address === address)?.id
    const id = (isHome ? this.homeId : known) ?? address
    this.onMove({ id, address: isHome ? '' : address })
  }

  private readdressed(request: Request, address: string, body?: ArrayBuffer): Request {
    const url = new URL(request.url)
    const needsVersion = this.version > 0 && (this.hasMoved || address !== this.current)
    const asksVersion = needsVersion && isRead(request) && VERSIONED_READS.test(url.pathname)
    if (url.origin === address && !asksVersion && body === undefined) return request
    const headers = new Headers(request.headers)
    if (asksVersion) headers.set(AT_LEAST, String(this.version))
    const { method, signal } = request
    const init: RequestInit = { method, headers, signal }
    if (body !== undefined) init.body = body
    return new Request(address + url.pathname + url.search, init)
  }
}

function isRead(request: Request): boolean {
  return request.method === 'GET' || request.method === 'HEAD'
}

function mayGoOn(request: Request): boolean {
  const isKeyed = request.headers.has('Idempotency-Key')
  return isRead(request) || (isKeyed && KEYED_WRITES.test(new URL(request.url).pathname))
}

/** The body, kept to be sent more than once. */
async function bodyOf(request: Request): Promise<ArrayBuffer | undefined> {
  if (isRead(request)) return undefined
  const body = await request.clone().arrayBuffer()
  return body.byteLength === 0 ? undefined : body
}

function isOrigin(text: string): boolean {
  try {
    const { protocol, origin } = new URL(text)
    return /^https?:$/.test(protocol) && origin === text
  } catch {
    return false
  }
}

// A browser may refuse storage; then the list lasts as long as the page.
function recalled(): KnownServer[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '[]')
    return Array.isArray(kept) ? kept.filter(isKnownServer) : []
  } catch {
    return []
  }
}

function isKnownServer(value: unknown): value is KnownServer {
  const { id, address } = (value ?? {}) as Partial<KnownServer>
  return typeof id === 'string' && typeof address === 'string' && isOrigin(address)
}

function remember(servers: KnownServer[]): void {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(servers))
  } catch {
    return
  }
}

export const servers = new Servers(globalThis.location?.origin ?? '')
