import { describe, expect, it } from 'vitest'
import type { Book } from '@/api/types'
import { useSelection } from './useSelection'

const books = ['a', 'b', 'c', 'd'].map((id) => ({ id, digest: `${id}1` }) as Book)

function ids(selected: ReadonlyMap<string, Book>): string[] {
  return [...selected.keys()]
}

describe('the selection', () => {
  it('takes a row in and out', () => {
    const { selected, toggle } = useSelection(() => books)
    toggle(1, false)
    toggle(3, false)
    toggle(1, false)
    expect(ids(selected.value)).toEqual(['d'])
  })

  it('takes in, or out, all from the last row that was touched', () => {
    const { selected, toggle } = useSelection(() => books)
    toggle(3, false)
    toggle(1, true)
    expect(ids(selected.value).sort()).toEqual(['b', 'c', 'd'])
    toggle(2, false)
    toggle(3, true)
    expect(ids(selected.value)).toEqual(['b'])
  })

  it('remembers the version that was seen', () => {
    let list = books
    const { selected, toggle } = useSelection(() => list)
    toggle(0, false)
    list = [{ id: 'a', digest: 'a2' } as Book]
    expect(selected.value.get('a')?.digest).toBe('a1')
  })
})
