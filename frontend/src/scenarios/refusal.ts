/** One replicator votes abort, and the whole round is aborted. */
import { voteAbortNext } from '@/api/lab'
import type { Book, Cluster } from '@/api/types'
import type { WriteOutcome } from '@/api/write'
import { act, expect, stage, Unexpected, type Scenario } from './scenario'

export function refusal(): Scenario {
  let title = ''
  let refusing = ''
  let before: Cluster
  let outcome: WriteOutcome<Book>
  return {
    name: 'refusal',
    parts: [
      stage('arm', async (world) => {
        title = world.freshTitle('One votes abort')
        before = await world.allLevel()
        refusing = (await world.voters()).at(-1)!
        await voteAbortNext(refusing)
      }),
      act('save', async (world) => {
        outcome = await world.startWrite(title).outcome
      }),
      expect('aborted', async () => {
        if (outcome.kind !== 'aborted') throw new Unexpected(`it ended ${outcome.kind}`)
        const vote = outcome.votes.find(({ member }) => member === refusing)
        if (vote?.vote !== 'abort') {
          throw new Unexpected(`the vote of ${refusing} is told as ${vote?.vote ?? 'nothing'}`)
        }
      }),
      expect('nothing', async (world) => {
        const { version } = await world.readCluster()
        const count = await world.countOf(title)
        if (version !== before.version || count !== 0) {
          throw new Unexpected(`version ${version} after ${before.version}, ${count} such books`)
        }
      }),
      act('again', async (world) => {
        outcome = await world.startWrite(title).outcome
      }),
      expect('committed', async () => {
        if (outcome.kind !== 'committed') throw new Unexpected(`it ended ${outcome.kind}`)
      }),
    ],
  }
}
