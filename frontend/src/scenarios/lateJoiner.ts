/** A replicator joins a cluster that holds books already. */
import { addMember } from '@/api/members'
import { act, expect, stage, Unexpected, type Scenario } from './scenario'

export function lateJoiner(): Scenario {
  let id = ''
  return {
    name: 'lateJoiner',
    parts: [
      stage('books', async (world) => {
        await world.addBook(world.freshTitle('A replicator joins late'))
        const { members } = await world.allLevel()
        id = nextName(members.map((member) => member.id))
      }),
      act('add', async (world) => {
        world.noteMember(id)
        await addMember(id, 'voter')
      }),
      expect('level', async (world) => {
        await world.until(`${id} votes and is in sync`, async () => {
          const { members } = await world.readCluster()
          const joined = members.find((member) => member.id === id)
          return joined?.role === 'voter' && joined.state === 'in_sync' ? true : null
        })
      }),
      act('save', async (world) => {
        await world.addBook(world.freshTitle('The newcomer votes'))
      }),
      expect('votes', async (world) => {
        const round = await world.newestRound()
        const vote = round?.votes.find(({ member }) => member === id)
        if (vote?.vote !== 'commit') throw new Unexpected(`round ${round?.id} has no vote of ${id}`)
      }),
      expect('same', async (world) => {
        await world.allLevel()
        const { summary, not_compared } = await world.restore(true)
        const isCompared = !not_compared?.some(({ member }) => member === id)
        if (!isCompared || !summary || summary.damaged + summary.lost + summary.undecided > 0) {
          throw new Unexpected(`the copies differ: ${JSON.stringify(summary)}`)
        }
      }),
    ],
  }
}

/** `replicator-4` after `replicator-3`. */
function nextName(names: string[]): string {
  const numbers = names.map((name) => Number(/-(\d+)$/.exec(name)?.[1] ?? 0))
  return `replicator-${Math.max(0, ...numbers) + 1}`
}
