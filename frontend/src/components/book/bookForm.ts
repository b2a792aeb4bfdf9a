/**
 * The content of the book form: how a book becomes text fields, how they become a request, and the
 * hints shown while typing. The server judges; only what cannot be sent at all is held back here.
 */
import type { Book, BookInput, FieldError } from '@/api/types'

export const TITLE_CHARACTERS_MAX = 1_000
export const AUTHORS_MAX = 50
export const SUBJECTS_MAX = 50

export interface BookForm {
  title: string
  authors: { name: string; surname: string }[]
  isbn: string
  publisher: string
  published: string
  language: string
  subjects: string[]
}

export function emptyForm(): BookForm {
  return {
    title: '',
    authors: [{ name: '', surname: '' }],
    isbn: '',
    publisher: '',
    published: '',
    language: '',
    subjects: [],
  }
}

export function formOf(book: Book): BookForm {
  return {
    title: book.title,
    authors: book.authors.map(({ name, surname }) => ({ name, surname })),
    isbn: book.isbn ?? '',
    publisher: book.publisher ?? '',
    published: book.published === null ? '' : String(book.published),
    language: book.language ?? '',
    subjects: [...book.subjects],
  }
}

/** Author rows that nobody filled in are dropped, so that rows and the server's errors match. */
export function withoutBlankAuthors(form: BookForm): BookForm {
  const filled = form.authors.filter(({ name, surname }) => name.trim() || surname.trim())
  return { ...form, authors: filled.length > 0 ? filled : [{ name: '', surname: '' }] }
}

export function bookOf(form: BookForm): BookInput {
  return {
    title: form.title,
    authors: form.authors.map(({ name, surname }) => ({ name, surname })),
    isbn: form.isbn.trim() || null,
    publisher: form.publisher.trim() ? form.publisher : null,
    published: form.published.trim() ? Number(form.published) : null,
    language: form.language.trim() || null,
    subjects: form.subjects,
  }
}

/** What stops a form from being sent; the text of each is under `book.hint.*`. */
export type BlockedField = { field: string; hint: 'title' | 'surname' | 'year' }

export function blockedFields(form: BookForm): BlockedField[] {
  const blocked: BlockedField[] = []
  if (form.title.trim() === '') blocked.push({ field: 'title', hint: 'title' })
  form.authors.forEach(({ surname }, row) => {
    if (surname.trim() === '') blocked.push({ field: `authors.${row}.surname`, hint: 'surname' })
  })
  if (form.published.trim() !== '' && !/^-?\d{1,4}$/.test(form.published.trim())) {
    blocked.push({ field: 'published', hint: 'year' })
  }
  return blocked
}

/** Characters as a person and the server count them: an emoji outside the basic plane is one. */
export function characters(text: string): number {
  return [...text].length
}

/** Whether the check digit of an ISBN is right; null while there are too few digits to say. */
export function isbnIsValid(text: string): boolean | null {
  const digits = text.replace(/[\s-]/g, '').toUpperCase()
  if (digits === '' || /^\d{0,9}$|^\d{11,12}$/.test(digits)) return null
  if (/^\d{9}[\dX]$/.test(digits)) {
    const sum = [...digits].reduce(
      (total, digit, place) => total + (10 - place) * (digit === 'X' ? 10 : Number(digit)),
      0,
    )
    return sum % 11 === 0
  }
  if (!/^97[89]\d{10}$/.test(digits)) return false
  const sum = [...digits].reduce(
    (total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 1 : 3),
    0,
  )
  return sum % 10 === 0
}

/**
 * The server's errors by form field. Positions may be written `authors[0].surname`,
 * `authors.0.surname` or `/authors/0/surname`; here it is the second.
 */
export function errorsByField(errors: FieldError[]): Map<string, string[]> {
  const byField = new Map<string, string[]>()
  for (const { field, message } of errors) {
    const path = fieldPath(field)
    byField.set(path, [...(byField.get(path) ?? []), message])
  }
  return byField
}

export function fieldPath(field: string): string {
  return field
    .replace(/\[(\d+)\]/g, '.$1')
    .replaceAll('/', '.')
    .replace(/^\.|^\$\./, '')
}

/** Whether the form has a place for messages about this field. */
export function isFormField(path: string): boolean {
  return /^(title|isbn|publisher|published|language|subjects(\..+)?|authors(\.\d+(\.(name|surname))?)?)$/.test(
    path,
  )
}

/** Fields whose content differs, for the choice after somebody else's change. */
export function changedFields(mine: BookForm, theirs: BookForm): (keyof BookForm)[] {
  const fields = Object.keys(mine) as (keyof BookForm)[]
  return fields.filter((field) => JSON.stringify(mine[field]) !== JSON.stringify(theirs[field]))
}
