import { describe, expect, it } from 'vitest'
import type { Book } from '@/api/types'
import { useSelection, type Rows } from './useSelection'

const books = ['a', 'b', 'c', 'd'].map((id) => ({ id, digest: `${id}1` }) as Book)

/** A list that gives its books one by one. */
function rowsOf(list: () => Book[]): Rows {
  return {
    bookAt: (index) => list()[index] ?? null,
    async *between(first, last) {
      for (const book of list().slice(first, last + 1)) yield [book]
    },
  }
}

function ids(selected: ReadonlyMap<string, Book>): string[] {
  return [...selected.keys()].sort()
}

describe('the selection', () => {
  it('takes a row in and out', async () => {
    const { selected, toggle } = useSelection(rowsOf(() => books))
    await toggle(1, false)
    await toggle(3, false)
    await toggle(1, false)
    expect(ids(selected.value)).toEqual(['d'])
  })

  it('takes in, or out, all from the last row that was touched', async () => {
    const { selected, toggle } = useSelection(rowsOf(() => books))
    await toggle(3, false)
    await toggle(1, true)
    expect(ids(selected.value)).toEqual(['b', 'c', 'd'])
    await toggle(2, false)
    await toggle(3, true)
    expect(ids(selected.value)).toEqual(['b'])
  })

  it('takes no more rows in once it was cleared', async () => {
    const { selected, toggle, clear } = useSelection(rowsOf(() => books))
    await toggle(0, false)
    const range = toggle(3, true)
    clear()
    await range
    expect(ids(selected.value)).toEqual([])
  })

  it('tells of rows that could not be loaded, and keeps those before them', async () => {
    const rows = rowsOf(() => books)
    const { selected, toggle } = useSelection({
      ...rows,
      async *between() {
        yield [books[0]!, books[1]!]
        throw new Error('no answer')
      },
    })
    await toggle(0, false)
    await expect(toggle(3, true)).rejects.toThrow('no answer')
    expect(ids(selected.value)).toEqual(['a', 'b'])
  })

  it('remembers the version that was seen', async () => {
    let list = books
    const { selected, toggle } = useSelection(rowsOf(() => list))
    await toggle(0, false)
    list = [{ id: 'a', digest: 'a2' } as Book]
    expect(selected.value.get('a')?.digest).toBe('a1')
  })
})
