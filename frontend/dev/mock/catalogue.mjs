/** The books of the mock server: made from a seed, kept in memory, checked as the interface says. */
import { createHash } from 'node:crypto'

const GIVEN =
  'Ada Bruno Clara Dmitri Elena Farid Greta Hugo Inés Jun Katya Lars Mina Noor Óscar'.split(' ')
const SURNAMES =
  'Abbott Brontë Cervantes Dostoevsky Eliot Flaubert García Hugo Ibsen Joyce Kafka Lem Mann Ocampo Pessoa'.split(
    ' ',
  )
const FIRST =
  'The silent|A small|Beyond the|Letters from the|The last|An unquiet|Notes on a|Under the|Return to the|The glass|Songs of the|A history of the|The burning|My father’s|The invisible|Seven days in the|The cartographer’s|In praise of the|The drowned|Winter at the|The clockmaker’s|Portrait of a|The paper|Almost a'.split(
    '|',
  )
const NOUNS =
  'harbour|garden|mountain|archive|orchard|railway|lighthouse|mirror|river|library|clock|island|theatre|letter|kitchen|desert|bridge|violin|map|tower|forest|hospital|atlas|comet|market|staircase|winter|daughter|horizon|village|monsoon|observatory'.split(
    '|',
  )
const LAST =
  '|||||||of glass|and its keepers|in autumn|at noon|without a name|of the south|by night|and other stories|in two voices|beyond the snow|of small hours|for beginners|under water|of Lisbon'.split(
    '|',
  )
const LANGUAGES = ['en', 'es', 'de', 'fr', 'pt-BR', 'ru']

const CLASSICS = [
  ['Don Quixote', 'Miguel de', 'Cervantes', 1605, 'es', '9780060934347'],
  ['Pride and Prejudice', 'Jane', 'Austen', 1813, 'en', '9780141439518'],
  ['Cien años de soledad', 'Gabriel', 'García Márquez', 1967, 'es', '9780307474728'],
  ['The Odyssey', '', 'Homer', -700, 'en', '9780140268867'],
  ['Мастер и Маргарита', 'Михаил', 'Булгаков', 1967, 'ru', null],
  ['War & Peace <abridged>', 'Leo', 'Tolstoy', 1869, 'en', '9781400079988'],
]

/** A small generator, so that every start shows the same books. */
export function random(seed) {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

export function uuid(next) {
  const hex = Array.from({ length: 32 }, () => next(16).toString(16)).join('')
  return `019${hex.slice(0, 5)}-${hex.slice(5, 9)}-7${hex.slice(9, 12)}-a${hex.slice(12, 15)}-${hex.slice(15, 27)}`
}

export function pathOf(id) {
  return `books/${id.slice(-2)}/${id}.xml`
}

export function sha256(text) {
  return createHash('sha256').update(text).digest('hex')
}

export function digestOf(book) {
  return sha256(xmlOf(book))
}

export function xmlOf(book) {
  const escape = (text) => String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const authors = book.authors.map(
    ({ name, surname }) =>
      `  <author><name>${escape(name)}</name><surname>${escape(surname)}</surname></author>\n`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<book id="${book.id}">\n  <title>${escape(book.title)}</title>\n${authors.join('')}  <creation-date>${book.created}</creation-date>\n</book>\n`
}

export function makeBooks(count) {
  const next = random(7)
  const books = new Map()
  for (let n = 0; n < count; n++) {
    const classic = CLASSICS[n]
    const book = {
      id: uuid(next),
      title: classic
        ? classic[0]
        : `${FIRST[next(FIRST.length)]} ${NOUNS[next(NOUNS.length)]} ${LAST[next(LAST.length)]}`.trim(),
      authors: classic
        ? [{ name: classic[1], surname: classic[2] }]
        : Array.from({ length: next(6) ? 1 : 2 }, () => ({
            name: GIVEN[next(15)],
            surname: SURNAMES[next(15)],
          })),
      isbn: classic ? classic[5] : isbn13(next(1_000_000_000)),
      publisher: null,
      published: classic ? classic[3] : 1700 + next(325),
      language: classic ? classic[4] : LANGUAGES[next(6)],
      subjects: [],
      created: new Date(
        Date.UTC(2026, 0, 1) + next(300) * 86_400_000 + next(86_400_000),
      ).toISOString(),
      version: n + 1,
    }
    book.digest = digestOf(book)
    books.set(book.id, book)
  }
  return books
}

function isbn13(body) {
  const digits = `978${String(body).padStart(9, '0')}`
  const sum = [...digits].reduce((total, digit, place) => total + digit * (place % 2 ? 3 : 1), 0)
  return digits + ((10 - (sum % 10)) % 10)
}

const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

/** What a book is searched and sorted by; made once, because a stored book never changes. */
const keys = new WeakMap()

function keysOf(book) {
  if (!keys.has(book)) {
    const names = book.authors.map(({ name, surname }) => `${name} ${surname}`).join(' ')
    keys.set(book, {
      text: plain(`${book.title} ${names} ${book.isbn ?? ''}`),
      title: plain(book.title),
      author: plain(`${book.authors[0].surname} ${book.authors[0].name}`),
      published: book.published ?? 10_000,
      created: book.created,
    })
  }
  return keys.get(book)
}

export function listBooks(
  books,
  { q = '', isbn = null, sort = 'title', order = 'asc', limit = '50', cursor, offset = '0' },
) {
  const words = plain(q).split(/\s+/).filter(Boolean)
  const found = [...books.values()].filter(
    (book) =>
      words.every((word) => keysOf(book).text.includes(word)) &&
      (isbn === null || book.isbn === isbn),
  )
  const sign = order === 'desc' ? -1 : 1
  found.sort((a, b) => {
    const [left, right] = [keysOf(a)[sort], keysOf(b)[sort]]
    return sign * (left < right ? -1 : left > right ? 1 : a.id < b.id ? -1 : 1)
  })
  const from = Number(cursor ?? offset)
  const until = from + Number(limit)
  return {
    items: found.slice(from, until),
    next: until < found.length ? String(until) : null,
    total: found.length,
  }
}

const FIELDS = ['title', 'authors', 'isbn', 'publisher', 'published', 'language', 'subjects']
const MADE = ['id', 'created', 'digest', 'version', 'local']

/** The errors of a book as it was sent; none if it is valid. */
export function bookErrors(input) {
  const errors = []
  const wrong = (field, message) => errors.push({ field, message })
  for (const field of Object.keys(input)) {
    if (![...FIELDS, ...MADE].includes(field)) wrong(field, 'no such field')
  }
  if (typeof input.title !== 'string' || !input.title.trim())
    wrong('title', 'the title must not be empty')
  else if ([...input.title].length > 1000)
    wrong('title', 'the title has more than 1,000 characters')
  if (!Array.isArray(input.authors) || !input.authors.length)
    wrong('authors', 'at least one author is needed')
  else {
    input.authors.forEach((author, n) => {
      if (!author.surname?.trim()) wrong(`authors[${n}].surname`, 'the surname must not be empty')
    })
  }
  if (input.isbn && !isbnIsValid(input.isbn)) wrong('isbn', 'the check digit of this ISBN is wrong')
  if (input.published != null && !(input.published >= -3000 && input.published <= 9999)) {
    wrong('published', 'the year must lie between −3000 and 9999')
  }
  if (input.language && !/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$/.test(input.language)) {
    wrong('language', 'this is no language tag such as en or pt-BR')
  }
  if (new Set(input.subjects ?? []).size < (input.subjects ?? []).length) {
    wrong('subjects', 'a subject is named twice')
  }
  return errors
}

function isbnIsValid(text) {
  const digits = text.replace(/[\s-]/g, '')
  if (/^\d{9}[\dX]$/.test(digits)) {
    return [...digits].reduce((sum, d, n) => sum + (10 - n) * (d === 'X' ? 10 : +d), 0) % 11 === 0
  }
  return /^97[89]\d{10}$/.test(digits) && digits === isbn13(digits.slice(3, 12))
}

/** A stored book from what was sent. */
export function bookOf(input, id, created, version) {
  const book = {
    id,
    title: input.title,
    authors: input.authors,
    isbn: input.isbn?.replace(/[\s-]/g, '') ?? null,
    publisher: input.publisher ?? null,
    published: input.published ?? null,
    language: input.language ?? null,
    subjects: input.subjects ?? [],
    created,
    version,
  }
  return { ...book, digest: sha256(JSON.stringify(book)) }
}
