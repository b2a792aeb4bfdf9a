import { describe, expect, it } from 'vitest'
import { labelsWithRoom, layOut } from './diagramLayout'
import { committed } from './round.fixture'
import { stepsOf } from './roundSteps'

const round = committed()
const steps = stepsOf(round)

describe('the layout of a diagram', () => {
  it('has a lane for everybody who takes part, from left to right', () => {
    const { lanes, width } = layOut(steps, round.participants, 'steps', 300)
    expect(lanes.map(({ id }) => id)).toEqual([
      'app-server',
      'coordinator',
      'replicator-1',
      'replicator-2',
    ])
    const places = lanes.map(({ x }) => x)
    expect(places).toEqual([...places].sort((one, other) => one - other))
    expect(width).toBeGreaterThan(300)
  })

  it('uses the room that there is, and no more than reads well', () => {
    expect(layOut(steps, round.participants, 'steps', 900).width).toBeLessThanOrEqual(900)
    expect(layOut(steps, round.participants, 'steps', 5_000).width).toBeLessThan(1_300)
  })

  it('puts moments at equal distances, or to scale', () => {
    const equal = layOut(steps, round.participants, 'steps', 900)
    const gaps = equal.ticks.slice(1).map(({ y }, place) => y - equal.ticks[place]!.y)
    expect(new Set(gaps).size).toBe(1)
    const { yOf } = layOut(steps, round.participants, 'scale', 900)
    expect((yOf(1_000) - yOf(0)) / (yOf(2_000) - yOf(0))).toBeCloseTo(0.5)
  })

  it('marks round times on the scale', () => {
    const { ticks } = layOut(steps, round.participants, 'scale', 900)
    expect(ticks.map(({ atUs }) => atUs)).toEqual([0, 500, 1_000, 1_500, 2_000])
  })

  it('leaves out labels that would cover an earlier one of their column', () => {
    const labels = [
      { column: 'a', y: 20 },
      { column: 'a', y: 12 },
      { column: 'b', y: 13 },
      { column: 'a', y: 27 },
    ]
    expect(labelsWithRoom(labels, 14)).toEqual([labels[1], labels[2], labels[3]])
  })
})
