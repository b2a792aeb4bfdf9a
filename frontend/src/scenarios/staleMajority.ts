/** Most copies are an older version, and still do not win. */
import { damageFile } from '@/api/lab'
import type { Book } from '@/api/types'
import { fileOf, finds, healed, nothingFound } from './restoring'
import { act, expect, stage, Unexpected, type Scenario } from './scenario'

export function staleMajority(): Scenario {
  let book: Book
  let old: string[] = []
  return {
    name: 'staleMajority',
    parts: [
      stage('book', async (world) => {
        book = await world.addBook(world.freshTitle('A stale majority'))
        const voters = await world.voters()
        old = voters.slice(0, Math.floor(voters.length / 2) + 1)
        await world.allLevel()
        await damageFile(book.id, [old[0]!], 'remember')
      }),
      stage('change', async (world) => {
        book = await world.changeBook(book, ['changed once'])
        await world.allLevel()
      }),
      act('putBack', () => damageFile(book.id, old, 'put_back')),
      expect('found', async (world) => {
        const file = fileOf(await world.restore(true), book.id)
        finds(file, { stale: old, winner: book.digest })
      }),
      act('restore', async (world) => healed(await world.restore(false), book.id, old)),
      expect('newest', async (world) => {
        nothingFound(await world.restore(true), book.id)
        const { digest } = await world.readBook(book.id)
        if (digest !== book.digest) throw new Unexpected(`the catalogue shows ${digest}`)
      }),
    ],
  }
}
