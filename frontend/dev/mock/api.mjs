/**
 * The REST interface of docs/rest.md over data in memory, for work on the page. Titles that begin with
 * `abort:` are voted down; titles that begin with `unknown:` get no outcome until they are asked for
 * twice.
 */
import { bookErrors, bookOf, listBooks, makeBooks, random, uuid, xmlOf } from './catalogue.mjs'
import { MockCluster } from './cluster.mjs'
import { Imports, Restorations, WorkingCopy } from './jobs.mjs'

const BOOK_PARAMETERS = [
  'q',
  'title',
  'author',
  'isbn',
  'sort',
  'order',
  'limit',
  'cursor',
  'offset',
]

class Refused extends Error {
  constructor(status, kind, detail, more = {}, headers = {}) {
    super(detail)
    this.status = status
    this.headers = headers
    this.body = {
      type: `/problems/${kind}`,
      title: kind.replaceAll('-', ' '),
      status,
      detail,
      ...more,
    }
  }
}

export function mockApi(bookCount = 10_240) {
  const books = makeBooks(bookCount)
  const cluster = new MockCluster(bookCount)
  const imports = new Imports(books, cluster)
  const restorations = new Restorations(books, cluster)
  const workingCopy = new WorkingCopy(books)
  const next = random(Date.now())
  const answers = new Map()
  const changes = new Map()

  cluster.round(3, { abortReason: 'no space left on this disk', cause: 'mine' })
  for (const changeCount of [1, 64, 1, 1, 7]) cluster.round(changeCount)

  function find(id) {
    const book = books.get(id)
    if (!book)
      throw new Refused(404, 'not-found', `There is no book ${id}; it may have been deleted.`)
    return book
  }

  function checkMatch(request, book) {
    const wanted = request.headers['if-match']
    if (wanted && wanted !== `"${book.digest}"`) {
      const detail = 'The book was changed meanwhile; load it again, decide, and send again.'
      throw new Refused(412, 'precondition-failed', detail, { current: book.digest })
    }
  }

  function checkBook(input) {
    const errors = bookErrors(input)
    if (errors.length) {
      throw new Refused(
        422,
        'invalid-book',
        'Some fields of the book are not valid; mend them and send again.',
        { errors },
      )
    }
  }

  /** Carries out a change in a round, or not, by its title. */
  function change(request, title, apply) {
    const key = request.headers['idempotency-key'] ?? uuid(next)
    if (!cluster.state(0, 0).accepting_writes) {
      throw new Refused(503, 'no-quorum', cluster.state(0, 0).why_not, {}, { 'Retry-After': '5' })
    }
    if (title.startsWith('abort:')) {
      const round = cluster.round(1, {
        abortReason: 'the title is on this replicator’s list of refused titles',
      })
      throw new Refused(
        409,
        'aborted',
        'The round was aborted: replicator-2 voted abort. Change what its reason names and save again.',
        round,
      )
    }
    if (title.startsWith('unknown:')) {
      changes.set(key, { asked: 0, apply })
      const body = {
        change: key,
        state: 'unknown',
        detail: 'The coordinator has not answered yet.',
      }
      return { status: 202, body, headers: { Location: `/api/v1/changes/${key}` } }
    }
    return apply(cluster.round(1).version)
  }

  function put(input, id, created, status) {
    return (version) => {
      const book = bookOf(input, id, created, version)
      books.set(id, book)
      cluster.changed([id])
      const headers = { ETag: `"${book.digest}"`, Location: `/api/v1/books/${id}` }
      return { status, body: book, headers }
    }
  }

  const routes = {
    'GET /books': (_, query) => ({ body: listBooks(books, query) }),
    'POST /books': (request, _, __, body) => {
      const input = JSON.parse(body)
      checkBook(input)
      return change(request, input.title, put(input, uuid(next), new Date().toISOString(), 201))
    },
    'GET /books/:id': (request, _, id) => {
      const book = find(id)
      if (request.headers.accept === 'application/xml')
        return { text: xmlOf(book), type: 'application/xml' }
      return { body: book, headers: { ETag: `"${book.digest}"` } }
    },
    'PUT /books/:id': (request, _, id, body) => {
      const book = find(id)
      const input = JSON.parse(body)
      checkBook(input)
      checkMatch(request, book)
      return change(request, input.title, put(input, id, book.created, 200))
    },
    'DELETE /books/:id': (request, _, id) => {
      const book = find(id)
      checkMatch(request, book)
      return change(request, book.title, () => {
        books.delete(id)
        cluster.changed([id])
        return { status: 204 }
      })
    },
    'GET /changes/:id': (_, __, id) => {
      const found = changes.get(id)
      if (!found)
        throw new Refused(
          404,
          'not-found',
          'This change is not known here: it did not commit and waits nowhere.',
        )
      found.asked += 1
      if (found.asked < 2)
        return { body: { change: id, state: 'unknown', detail: 'Not decided yet.' } }
      found.done ??= found.apply(cluster.round(1).version)
      return {
        body: {
          change: id,
          state: 'committed',
          version: cluster.version,
          id: found.done.body?.id ?? null,
        },
      }
    },
    'POST /imports': (request, query, _, body) => {
      const isXml = request.headers['content-type']?.startsWith('application/xml')
      const { job, failed } = imports.start(body, isXml, query.on_error ?? 'skip')
      if (failed) {
        throw new Refused(
          422,
          'invalid-import',
          'Some rows are not valid, so nothing was imported.',
          { failed },
        )
      }
      return { status: 202, body: job, headers: { Location: `/api/v1/imports/${job.id}` } }
    },
    'GET /imports/:id': (_, __, id) => {
      const job = imports.jobs.get(id)
      if (!job) throw new Refused(404, 'not-found', `There is no import ${id}.`)
      return { body: job }
    },
    'GET /exports': (_, query) => {
      const list = [...books.values()]
      return query.format === 'csv'
        ? {
            text: `title,isbn\r\n${list.map(({ title, isbn }) => `"${title}",${isbn}`).join('\r\n')}`,
            type: 'text/csv',
          }
        : { text: `<books>\n${list.map(xmlOf).join('')}</books>\n`, type: 'application/xml' }
    },
    'GET /replications': () => {
      const items = workingCopy.list()
      return { body: { items, next: null, total: items.length } }
    },
    'POST /replications': (_, __, ___, body) => {
      const { vote } = JSON.parse(body)
      const count = workingCopy.changes.length
      if (!count) return { body: { outcome: 'nothing_to_do', changes: 0 } }
      if (vote === 'abort') {
        const round = cluster.round(count, { abortReason: 'abort was asked for', forced: true })
        throw new Refused(
          409,
          'aborted',
          'The round was aborted, as asked; nothing was changed anywhere.',
          round,
        )
      }
      const round = cluster.round(count)
      workingCopy.publish()
      cluster.changed([])
      return {
        body: {
          outcome: 'committed',
          round: round.id,
          version: round.version,
          changes: count,
          votes: round.votes,
        },
      }
    },
    'POST /restorations': (_, __, ___, body) => {
      const job = restorations.start(JSON.parse(body).dry_run)
      return { status: 202, body: job, headers: { Location: `/api/v1/restorations/${job.id}` } }
    },
    'GET /restorations': () => ({
      body: {
        items: restorations.jobs.map((job) => ({ ...job, files: undefined })),
        next: null,
        total: restorations.jobs.length,
      },
    }),
    'GET /restorations/:id': (_, __, id) => {
      const job = restorations.jobs.find((each) => each.id === id)
      if (!job) throw new Refused(404, 'not-found', `There is no report ${id}.`)
      return { body: job }
    },
    'GET /restorations/:id/copy': (_, { path, member }, id) => {
      const file = restorations.jobs
        .find((job) => job.id === id)
        ?.files.find((each) => each.path === path)
      const vote = file?.ballot.find((each) => each.member === member)
      if (!vote?.digest) throw new Refused(404, 'not-found', `${member} held no such book file.`)
      const xml = xmlOf(books.get(file.id) ?? [...books.values()][0])
      const text = vote.holding === 'intact' ? xml : xml.replace('<title>', '<title>?')
      return { text, type: 'text/plain; charset=utf-8' }
    },
    'GET /scrubs': () => ({ body: cluster.scrubs() }),
    'POST /scrubs': () => ({ status: 202, body: cluster.scrubs() }),
    'GET /cluster': () => ({ body: cluster.state(books.size, workingCopy.changes.length) }),
    'POST /members': (_, __, ___, body) => {
      const { id, role } = JSON.parse(body)
      return membersChanged(cluster.addMember(id, role))
    },
    'PATCH /members/:id': (_, __, id, body) =>
      membersChanged(cluster.changeMember(id, JSON.parse(body).role)),
    'DELETE /members/:id': (_, __, id) => membersChanged(cluster.removeMember(id)),
    'GET /rounds': (_, { limit = '50', cursor = '0', outcome }) => {
      const all = cluster.rounds.filter((round) => !outcome || round.outcome === outcome)
      const until = Number(cursor) + Number(limit)
      return {
        body: {
          items: all.slice(Number(cursor), until),
          next: until < all.length ? String(until) : null,
          total: all.length,
        },
      }
    },
    'GET /rounds/:id': (_, __, id) => {
      const round = cluster.rounds.find((each) => each.id === id)
      if (!round) throw new Refused(404, 'not-found', `Round ${id} is not kept any more.`)
      return { body: round }
    },
  }

  function membersChanged(refused) {
    if (refused) throw new Refused(409, 'members-refused', refused)
    return { status: 204 }
  }

  /** Answers one request under `/api/v1`. */
  async function answer(request, response, url) {
    const [, noun, id, part] = url.pathname.slice('/api/v1'.length).split('/')
    if (noun === 'events') return cluster.stream(response)
    const query = Object.fromEntries(url.searchParams)
    try {
      const body = await bodyOf(request)
      checkOrigin(request)
      if (noun === 'books' && Object.keys(query).some((name) => !BOOK_PARAMETERS.includes(name))) {
        throw new Refused(422, 'unknown-parameter', 'There is no such query parameter.')
      }
      const address = `/${noun}${id ? '/:id' : ''}${part ? `/${part}` : ''}`
      const route = routes[`${request.method} ${address}`]
      if (!route) throw new Refused(404, 'not-found', 'There is no such address.')
      send(
        response,
        once(request, body, () => route(request, query, id && decodeURIComponent(id), body)),
      )
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      send(response, { ...error, type: 'application/problem+json' })
    }
  }

  /** The same key with the same request gets the first committed answer again. */
  function once(request, body, run) {
    const key = request.headers['idempotency-key']
    const print = JSON.stringify([request.method, request.url, request.headers['if-match'], body])
    const first = key && answers.get(key)
    if (first && first.print !== print) {
      throw new Refused(422, 'key-reused', 'This key was used for another request.')
    }
    if (first) return first.result
    const result = run()
    if (key && result.status !== 202) answers.set(key, { print, result })
    return result
  }

  function send(response, { status = 200, body, text, type = 'application/json', headers = {} }) {
    response.writeHead(status, {
      ...(status === 204 ? {} : { 'Content-Type': type }),
      'Cache-Control': 'no-store',
      'Concordance-Version': String(cluster.version),
      ...(cluster.staleSince ? { 'Concordance-Stale': cluster.staleSince } : {}),
      ...headers,
    })
    response.end(text ?? (body === undefined ? undefined : JSON.stringify(body)))
  }

  return { answer, scenario: (name) => cluster.scenario(name) }
}

function checkOrigin(request) {
  const origin = request.headers.origin
  if (request.method !== 'GET' && origin && new URL(origin).host !== request.headers.host) {
    throw new Refused(403, 'wrong-origin', 'This request comes from another site.')
  }
}

async function bodyOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}
