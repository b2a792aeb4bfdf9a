import { describe, expect, it } from 'vitest'
import { labelsOf, toneOf } from './diagramLabels'
import { layOut, openFall } from './diagramLayout'
import { APP_SERVER, COORDINATOR, type Step } from './roundSteps'

const MEMBERS = ['replicator-1', 'replicator-2', 'replicator-3']

function prepareTo(member: string, endsUs: number | null): Step {
  return { kind: 'prepare', from: COORDINATOR, to: member, member, beginsUs: 0, endsUs } as Step
}

function labelled(steps: Step[]) {
  const layout = layOut(steps, MEMBERS, 'steps', 1_000)
  return { layout, labels: labelsOf(steps, layout) }
}

describe('the words of a diagram', () => {
  it('stand above the end of a message that has arrived', () => {
    const { layout, labels } = labelled([prepareTo('replicator-1', 400)])
    expect(labels[0]).toMatchObject({ anchor: 'end', column: 'replicator-1 left' })
    expect(labels[0]!.y).toBeLessThan(layout.yOf(400))
    expect(labels[0]!.x).toBeLessThan(layout.xOf('replicator-1'))
  })

  it('stand below every message that passes while none is known to have arrived', () => {
    const { layout, labels } = labelled(MEMBERS.map((member) => prepareTo(member, null)))
    expect(labels).toHaveLength(MEMBERS.length)
    for (const { step, y } of labels) {
      const lanes = layout.distance(COORDINATOR, step.to!)
      const farthest = layout.distance(COORDINATOR, 'replicator-3')
      for (let far = lanes; far <= farthest; far++) {
        const passesAt = layout.yOf(0) + (openFall(far) * lanes) / far
        expect(y).toBeGreaterThan(passesAt)
      }
    }
  })

  it('carry the tone of the vote or the outcome', () => {
    const answer = { kind: 'answer', from: COORDINATOR, to: APP_SERVER } as Step
    expect(toneOf(answer, 'committed')).toBe('good')
    expect(toneOf(answer, 'aborted')).toBe('bad')
    expect(toneOf(answer, 'in_flight')).toBe('note')
    expect(toneOf({ kind: 'vote', vote: { vote: 'abort' } } as Step, 'committed')).toBe('bad')
  })
})
