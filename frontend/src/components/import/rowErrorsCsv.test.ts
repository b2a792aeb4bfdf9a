import { expect, it } from 'vitest'
import { rowErrorsCsv } from './rowErrorsCsv'

it('row errors are quoted so that any program reads them back', () => {
  const errors = [
    { row: 2, error: 'title: must not be "", nor blank' },
    { row: 7, error: 'two\nlines' },
  ]
  expect(rowErrorsCsv(errors)).toBe(
    'row,error\r\n2,"title: must not be """", nor blank"\r\n7,"two\nlines"\r\n',
  )
})
