/** The coordinator dies when it has all votes and has not decided; whoever has voted is in doubt. */
import type { Cluster } from '@/api/types'
import { act, expect, stage, Unexpected, type Scenario } from './scenario'
import type { Write } from './world'

export function doubt(): Scenario {
  let title = ''
  let before: Cluster
  let write: Write
  return {
    name: 'doubt',
    parts: [
      stage('arm', async (world) => {
        title = world.freshTitle('The coordinator dies in doubt')
        before = await world.allLevel()
        await world.crashCoordinatorAt('votes_received')
      }),
      act('save', async (world) => {
        write = world.startWrite(title)
      }),
      expect('dead', async (world) => {
        await world.coordinatorDies()
        if (write.isAnswered()) await mustBeUnknown(write)
      }),
      act('start', (world) => world.startCoordinator()),
      expect('later', async (world) => {
        const outcome = await world.settled(write)
        if (outcome.kind !== 'committed') throw new Unexpected(`it ended ${outcome.kind}`)
        const round = await world.newestRound()
        if (!round || round.epoch <= (before.epoch ?? 0)) {
          throw new Unexpected(`the round that committed it is ${round?.id ?? 'none'}`)
        }
      }),
      expect('once', (world) => happenedOnce(world, title, before)),
    ],
  }
}

/** Whoever gave up waiting may have been told only that it is not known. */
export async function mustBeUnknown(write: Write): Promise<void> {
  const { kind } = await write.outcome
  if (kind !== 'unknown') throw new Unexpected(`the answer was ${kind}, although nobody can know`)
}

/** One version more, one book more, and everybody has it. */
export async function happenedOnce(
  world: { allLevel(): Promise<Cluster>; countOf(title: string): Promise<number> },
  title: string,
  before: Cluster,
): Promise<void> {
  const { version } = await world.allLevel()
  if (version !== before.version + 1) {
    throw new Unexpected(`version ${version} after version ${before.version}`)
  }
  const count = await world.countOf(title)
  if (count !== 1) throw new Unexpected(`the book is there ${count} times`)
}
