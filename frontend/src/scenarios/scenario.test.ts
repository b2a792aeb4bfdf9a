import { describe, expect as assert, it } from 'vitest'
import en from '@/locales/en.json'
import { SCENARIOS } from '.'
import { act, expect, runScenario, stage, Unexpected, type Progress } from './scenario'
import type { World } from './world'

function world(tidy: () => Promise<void> = async () => {}): World {
  return { tidy } as World
}

async function play(
  parts: Parameters<typeof runScenario>[0]['parts'],
  tidy?: () => Promise<void>,
): Promise<Progress[]> {
  const told: Progress[] = []
  await runScenario({ name: 'x', parts }, world(tidy), (progress) => told.push(progress))
  return told
}

describe('a scenario', () => {
  it('carries out its parts in order and passes when all that was expected happened', async () => {
    const done: string[] = []
    const told = await play([
      stage('a', async () => void done.push('a')),
      act('b', async () => void done.push('b')),
      expect('c', async () => void done.push('c')),
    ])
    assert(done).toEqual(['a', 'b', 'c'])
    assert(told.at(-1)).toEqual({
      states: ['done', 'done', 'done', 'done'],
      found: null,
      verdict: 'passed',
    })
    assert(told[0]?.states).toEqual(['running', 'waiting', 'waiting', 'waiting'])
  })

  it('stops where something else happened, says what, and still tidies up', async () => {
    let isTidied = false
    const told = await play(
      [
        expect('a', async () => {
          throw new Unexpected('two books')
        }),
        act('b', async () => assert.unreachable()),
      ],
      async () => void (isTidied = true),
    )
    assert(told.at(-1)).toEqual({
      states: ['failed', 'waiting', 'done'],
      found: 'two books',
      verdict: 'failed',
    })
    assert(isTidied).toBe(true)
  })

  it('does not pass while something is left behind', async () => {
    const told = await play([act('a', async () => {})], async () => {
      throw new Unexpected('a dead replicator')
    })
    assert(told.at(-1)).toMatchObject({ verdict: 'failed', found: 'a dead replicator' })
  })

  it('has words for each of its parts', () => {
    for (const make of SCENARIOS) {
      const { name, parts } = make()
      const texts = (en.scenario as unknown as Record<string, Record<string, string>>)[name]
      const wanted = [...parts.map(({ key }) => key), 'title', 'about', 'lesson']
      assert(Object.keys(texts ?? {}).sort(), name).toEqual(wanted.sort())
    }
  })
})
