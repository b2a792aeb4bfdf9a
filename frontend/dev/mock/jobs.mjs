/** Imports, restorations and replications of the mock server. */
import { bookErrors, bookOf, pathOf, random, sha256, uuid } from './catalogue.mjs'

const ROWS_PER_STEP = 200

/** Rows of a CSV with a header line; quoted cells may hold commas, quotes and line ends. */
function csvRows(text) {
  const rows = []
  let row = []
  for (const [, quoted, bare, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g,
  )) {
    row.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'))
    if (end === ',') continue
    if (row.some((cell) => cell !== '')) rows.push(row)
    row = []
    if (end === '') break
  }
  return rows
}

function inputOf(cells) {
  const words = (cells.author ?? cells.authors ?? '').split(/;|, /)[0].trim().split(' ')
  return {
    title: cells.title ?? '',
    authors: [{ name: words.slice(0, -1).join(' '), surname: words.at(-1) ?? '' }],
    isbn: cells.isbn || null,
    published:
      Number.parseInt(cells.published ?? cells.year ?? cells.original_publication_year) || null,
    language: null,
  }
}

export class Imports {
  jobs = new Map()
  next = random(Date.now())

  constructor(books, cluster) {
    this.books = books
    this.cluster = cluster
  }

  /** Starts an import; gives the job, or the failed rows when nothing may be sent. */
  start(text, isXml, onError) {
    const rows = isXml
      ? [...text.matchAll(/<title>([^<]*)<\/title>/g)].map(([, title], n) => ({
          row: n + 1,
          input: { title, authors: [{ name: '', surname: 'Unknown' }] },
        }))
      : this.rowsOfCsv(text)
    const failed = []
    const good = []
    for (const { row, input } of rows) {
      const [error] = bookErrors(input)
      if (error) failed.push({ row, error: `${error.field}: ${error.message}` })
      else good.push(input)
    }
    if (onError === 'fail' && failed.length) return { failed }
    const job = {
      id: uuid(this.next),
      state: 'running',
      imported: 0,
      failed,
      total: rows.length,
      rounds: 0,
      detail: null,
    }
    this.jobs.set(job.id, job)
    this.step(job, good)
    return { job }
  }

  rowsOfCsv(text) {
    const [head = [], ...rows] = csvRows(text)
    const names = head.map((name) => name.trim().toLowerCase())
    return rows.map((row, n) => ({
      row: n + 2,
      input: inputOf(Object.fromEntries(names.map((name, place) => [name, row[place]]))),
    }))
  }

  step(job, good) {
    setTimeout(() => {
      const part = good.splice(0, ROWS_PER_STEP)
      if (part.length) {
        const { version } = this.cluster.round(part.length)
        const ids = part.map((input) => {
          const book = bookOf(input, uuid(this.next), new Date().toISOString(), version)
          this.books.set(book.id, book)
          return book.id
        })
        job.imported += part.length
        job.rounds += 1
        this.cluster.changed(ids)
      }
      if (good.length) return this.step(job, good)
      job.state = 'done'
      this.cluster.tell('import', {
        kind: 'done',
        text: `An import ended: ${job.imported} books in, ${job.failed.length} rows refused.`,
      })
    }, 150)
  }
}

export class Restorations {
  jobs = []

  constructor(books, cluster) {
    this.books = books
    this.cluster = cluster
    this.damaged = true
  }

  start(dryRun) {
    const job = {
      id: uuid(random(Date.now())),
      state: 'running',
      dry_run: dryRun,
      started_at: new Date().toISOString(),
      finished_at: null,
      version: this.cluster.version,
      detail: null,
      progress: { phase: 'scanning', done: 0, total: this.books.size },
      summary: {
        members: 0,
        files: 0,
        intact: 0,
        damaged: 0,
        healed: 0,
        lost: 0,
        undecided: 0,
        left: 0,
      },
      not_compared: [],
      files: [],
    }
    this.jobs.unshift(job)
    this.cluster.tell('restoration', {
      kind: 'started',
      text: dryRun ? 'A dry run began.' : 'A restore began.',
    })
    this.step(job, 1)
    return job
  }

  step(job, nth) {
    setTimeout(() => {
      job.progress.done = Math.min(job.progress.total, Math.ceil((job.progress.total * nth) / 4))
      if (nth < 4) return this.step(job, nth + 1)
      this.finish(job)
    }, 350)
  }

  finish(job) {
    const files = this.damaged ? this.files(job.dry_run) : []
    const count = (test) => files.filter(test).length
    Object.assign(job, {
      state: 'done',
      finished_at: new Date().toISOString(),
      progress: { phase: 'done', done: this.books.size, total: this.books.size },
      files,
      summary: {
        members: 3,
        files: this.books.size + 1,
        intact: this.books.size + 1 - files.length,
        damaged: files.length,
        healed: job.dry_run
          ? 0
          : count(({ verdict }) => verdict === 'majority' || verdict === 'proven'),
        lost: count(({ verdict }) => verdict === 'lost'),
        undecided: 0,
        left: job.dry_run ? count(({ actions }) => actions[0].action === 'would_heal') : 0,
      },
    })
    if (!job.dry_run) this.damaged = false
    this.cluster.tell('restoration', {
      kind: 'done',
      text: job.dry_run
        ? `The dry run ended: ${files.length} files are not intact everywhere.`
        : `The restore ended: ${job.summary.healed} files put right, ${job.summary.lost} lost.`,
    })
  }

  /** One file for each kind of verdict. */
  files(dryRun) {
    const [one, two, three, four] = [...this.books.values()]
    const wrong = (text) => sha256(`damaged ${text}`)
    const heal = (member, book) => ({
      member,
      action: dryRun ? 'would_heal' : 'healed',
      detail: dryRun ? null : 'read back from disk: the digest is right',
      quarantined: dryRun ? null : `quarantine/2026-11-20T101500Z/${book.id}.xml`,
    })
    const ballot = (member, holding, digest, size = 412, note = null) => ({
      member,
      holding,
      digest,
      size,
      note,
    })
    const base = (book) => ({
      path: pathOf(book.id),
      id: book.id,
      title: book.title,
      record: { digest: book.digest, version: book.version },
    })
    const extraId = '0192ffff-0000-7000-a000-00000000002a'
    return [
      {
        ...base(one),
        ballot: [
          ballot('replicator-1', 'intact', one.digest),
          ballot('replicator-2', 'damaged', wrong('one'), 413, 'one byte longer than the record'),
          ballot('replicator-3', 'intact', one.digest),
        ],
        verdict: 'majority',
        winner: one.digest,
        actions: [heal('replicator-2', one)],
      },
      {
        ...base(two),
        ballot: [
          ballot('replicator-1', 'damaged', wrong('two')),
          ballot('replicator-2', 'stale', wrong('old two'), 398, 'the bytes of version 4'),
          ballot('replicator-3', 'intact', two.digest),
        ],
        verdict: 'proven',
        winner: two.digest,
        actions: [heal('replicator-1', two), heal('replicator-2', two), heal('app-server-1', two)],
      },
      {
        ...base(three),
        ballot: [
          ballot('replicator-1', 'damaged', wrong('a'), 12),
          ballot('replicator-2', 'missing', null, null),
          ballot('replicator-3', 'no_answer', null, null, 'no answer within 10 s'),
        ],
        verdict: 'lost',
        winner: null,
        actions: [
          {
            member: 'replicator-1',
            action: 'left',
            detail: 'no copy with the recorded digest',
            quarantined: null,
          },
        ],
      },
      {
        path: pathOf(extraId),
        id: extraId,
        title: null,
        record: null,
        ballot: [
          ballot('replicator-1', 'extra', wrong('extra'), 77),
          ballot('replicator-2', 'missing', null, null),
          ballot('replicator-3', 'missing', null, null),
        ],
        verdict: 'majority',
        winner: 'absent',
        actions: [heal('replicator-1', four)],
      },
    ]
  }
}

export class WorkingCopy {
  constructor(books) {
    const [, , , , one, two, three] = [...books.values()]
    one.local = 'modified'
    two.local = 'missing'
    three.local = 'damaged'
    this.books = books
    this.changes = [
      { book: one, state: 'modified', found: sha256('edited'), detail: 'the title was changed' },
      { book: two, state: 'missing', found: null, detail: 'the file is missing' },
      {
        book: three,
        state: 'invalid',
        found: sha256('cut off'),
        detail: 'the file ends too early',
      },
    ]
  }

  list() {
    return this.changes.map(({ book, state, found, detail }) => ({
      path: pathOf(book.id),
      id: book.id,
      state,
      committed_digest: book.digest,
      found_digest: found,
      detail,
    }))
  }

  publish() {
    for (const { book } of this.changes) delete book.local
    this.changes = []
  }
}
