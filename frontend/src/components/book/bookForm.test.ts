import { describe, expect, it } from 'vitest'
import type { Book } from '@/api/types'
import {
  blockedFields,
  bookOf,
  changedFields,
  characters,
  emptyForm,
  errorsByField,
  fieldPath,
  formOf,
  isbnIsValid,
  withoutBlankAuthors,
} from './bookForm'

const book: Book = {
  id: '1',
  title: '  A <title> with spaces\n& lines ',
  authors: [{ name: '', surname: 'Homer' }],
  isbn: null,
  publisher: null,
  published: -700,
  language: null,
  subjects: ['epic'],
  created: '2026-01-01T00:00:00.000Z',
  digest: 'd',
  version: 1,
}

describe('the form of a book', () => {
  it('gives back exactly what it was made from', () => {
    const { title, authors, isbn, publisher, published, language, subjects } = book
    expect(bookOf(formOf(book))).toEqual({
      title,
      authors,
      isbn,
      publisher,
      published,
      language,
      subjects,
    })
  })

  it('does not change the book that it was made from', () => {
    const form = formOf(book)
    form.authors[0]!.surname = 'Virgil'
    form.subjects.push('war')
    expect(book.authors[0]!.surname).toBe('Homer')
    expect(book.subjects).toEqual(['epic'])
  })

  it('drops author rows that nobody filled in, but keeps one', () => {
    const blank = { name: ' ', surname: '' }
    const filled = { name: '', surname: 'Homer' }
    expect(withoutBlankAuthors({ ...emptyForm(), authors: [blank, filled] }).authors).toEqual([
      filled,
    ])
    expect(withoutBlankAuthors({ ...emptyForm(), authors: [blank, blank] }).authors).toHaveLength(1)
  })

  it('holds back only what cannot be sent', () => {
    expect(blockedFields(emptyForm()).map(({ field }) => field)).toEqual([
      'title',
      'authors.0.surname',
    ])
    expect(blockedFields({ ...formOf(book), published: '19th century' })).toEqual([
      { field: 'published', hint: 'year' },
    ])
    expect(blockedFields({ ...formOf(book), isbn: 'wrong', language: '??' })).toEqual([])
  })

  it('names the fields that differ from another version', () => {
    const mine = { ...formOf(book), published: '-750' }
    expect(changedFields(mine, formOf(book))).toEqual(['published'])
  })

  it('counts characters as people do', () => {
    expect(characters('añ😀')).toBe(3)
  })
})

describe('the hint about an ISBN', () => {
  it.each(['978-0-14-143951-8', '9780141439518', '0141439513', '0-8044-2957-X', '080442957x'])(
    'accepts %s',
    (isbn) => expect(isbnIsValid(isbn)).toBe(true),
  )
  it.each(['9780141439519', '0141439514', '1230141439518', 'ABCDEFGHIJ', '97801414395181'])(
    'doubts %s',
    (isbn) => expect(isbnIsValid(isbn)).toBe(false),
  )
  it.each(['', '978014', '97801414395'])('waits for more digits after "%s"', (isbn) =>
    expect(isbnIsValid(isbn)).toBeNull(),
  )
})

describe('the server’s errors', () => {
  it.each([
    'authors[1].surname',
    'authors.1.surname',
    '/authors/1/surname',
    '$.authors[1].surname',
  ])('find their field when it is written %s', (field) =>
    expect(fieldPath(field)).toBe('authors.1.surname'),
  )

  it('are gathered by field', () => {
    const errors = errorsByField([
      { field: 'isbn', message: 'too short' },
      { field: 'isbn', message: 'wrong digit' },
    ])
    expect(errors.get('isbn')).toEqual(['too short', 'wrong digit'])
  })
})
