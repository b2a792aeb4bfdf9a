/** One copy of a file is damaged; the others outvote it. */
import { damageFile } from '@/api/lab'
import type { Book } from '@/api/types'
import { fileOf, finds, healed, nothingFound } from './restoring'
import { act, expect, stage, type Scenario } from './scenario'

export function minority(): Scenario {
  let book: Book
  let victim = ''
  return {
    name: 'minority',
    parts: [
      stage('book', async (world) => {
        book = await world.addBook(world.freshTitle('A minority is corrupted'))
        victim = (await world.voters())[1]!
        await world.allLevel()
      }),
      act('damage', () => damageFile(book.id, [victim], 'flip_letter')),
      expect('found', async (world) => {
        const file = fileOf(await world.restore(true), book.id)
        finds(file, { damaged: [victim], winner: book.digest })
      }),
      act('restore', async (world) => healed(await world.restore(false), book.id, [victim])),
      expect('clean', async (world) => nothingFound(await world.restore(true), book.id)),
    ],
  }
}
