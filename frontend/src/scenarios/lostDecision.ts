/** The coordinator dies when its decision is durable and nobody has heard it. */
import type { Cluster } from '@/api/types'
import { happenedOnce, mustBeUnknown } from './doubt'
import { act, expect, stage, Unexpected, type Scenario } from './scenario'
import type { Write } from './world'

export function lostDecision(): Scenario {
  let title = ''
  let before: Cluster
  let write: Write
  return {
    name: 'lostDecision',
    parts: [
      stage('arm', async (world) => {
        title = world.freshTitle('The decision is lost on the way')
        before = await world.allLevel()
        await world.crashCoordinatorAt('decision_durable')
      }),
      act('save', async (world) => {
        write = world.startWrite(title)
      }),
      expect('dead', async (world) => {
        await world.coordinatorDies()
        if (write.isAnswered()) await mustBeUnknown(write)
      }),
      act('start', (world) => world.startCoordinator()),
      expect('committed', async (world) => {
        const outcome = await world.settled(write)
        if (outcome.kind !== 'committed') throw new Unexpected(`it ended ${outcome.kind}`)
      }),
      expect('once', (world) => happenedOnce(world, title, before)),
    ],
  }
}
