/**
 * What a guided scenario is: parts that set the stage, do something, or expect something, carried out one after the other
 * on the live cluster. Knows no words and no picture; the texts are `scenario.<name>.<part>` of the locales.
 */
import type { World } from './world'

export type PartKind = 'stage' | 'act' | 'expect'

export interface Part {
  kind: PartKind
  key: string
  /** Throws `Unexpected` if what was expected did not happen, and any other error if it could not be carried out. */
  run: (world: World) => Promise<void>
}

export interface Scenario {
  name: string
  parts: Part[]
}

/** Something was expected and did not happen. */
export class Unexpected extends Error {
  constructor(found: string) {
    super(found)
    this.name = 'Unexpected'
  }
}

export const stage = (key: string, run: Part['run']): Part => ({ kind: 'stage', key, run })
export const act = (key: string, run: Part['run']): Part => ({ kind: 'act', key, run })
export const expect = (key: string, run: Part['run']): Part => ({ kind: 'expect', key, run })

export type PartState = 'waiting' | 'running' | 'done' | 'failed'

export interface Progress {
  /** The state of each part; the last one is the tidying up, which always happens. */
  states: PartState[]
  /** Why the part that failed has failed. */
  found: string | null
  verdict: 'passed' | 'failed' | null
}

/** Carries out a scenario, tells every change, and tidies up whatever happened. */
export async function runScenario(
  scenario: Scenario,
  world: World,
  tell: (progress: Progress) => void,
): Promise<void> {
  const states: PartState[] = [...scenario.parts.map(() => 'waiting' as const), 'waiting']
  let found: string | null = null
  let verdict: Progress['verdict'] = null
  const say = () => tell({ states: [...states], found, verdict })
  async function carryOut(place: number, run: () => Promise<void>): Promise<boolean> {
    states[place] = 'running'
    say()
    try {
      await run()
      states[place] = 'done'
    } catch (cause) {
      states[place] = 'failed'
      found ??= cause instanceof Error ? cause.message : String(cause)
    }
    say()
    return states[place] === 'done'
  }
  let isGood = true
  for (const [place, part] of scenario.parts.entries()) {
    isGood = await carryOut(place, () => part.run(world))
    if (!isGood) break
  }
  const isTidy = await carryOut(scenario.parts.length, () => world.tidy())
  verdict = isGood && isTidy ? 'passed' : 'failed'
  say()
}
