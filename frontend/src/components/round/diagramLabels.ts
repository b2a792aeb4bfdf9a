/** Where the words of a diagram stand, in pixels, and the tone of each step. Pure: the words themselves come from outside. */
import type { Round } from '@/api/types'
import { isOpen, labelsWithRoom, openFall, type Layout } from './diagramLayout'
import { COORDINATOR, momentOf, type Step } from './roundSteps'

export type StepTone = 'plain' | 'quiet' | 'good' | 'bad' | 'note'

export interface DiagramLabel {
  step: Step
  column: string
  x: number
  y: number
  anchor: 'start' | 'end'
}

const LABEL_PX = 14
const BESIDE_LANE_PX = 12
const ABOVE_LINE_PX = -5
const BELOW_HEAD_PX = 12
const BELOW_DECISION_PX = 16
const BESIDE_SYNC_PX = 4

/** The colour of a step: by the vote or the outcome that it carries. */
export function toneOf(step: Step, outcome: Round['outcome']): StepTone {
  if (step.kind === 'vote') return step.vote?.vote === 'abort' ? 'bad' : 'good'
  if (['decide', 'tell', 'answer'].includes(step.kind)) {
    return ({ committed: 'good', aborted: 'bad', in_flight: 'note' } as const)[outcome]
  }
  return step.kind === 'prepare' || step.kind === 'request' ? 'plain' : 'quiet'
}

/** Beside the lane of the replicator, else of the coordinator; those that have room. */
export function labelsOf(steps: Step[], layout: Layout): DiagramLabel[] {
  return labelsWithRoom(
    steps.map((step) => labelOf(step, layout)),
    LABEL_PX,
  )
}

function labelOf(step: Step, { xOf, yOf, distance }: Layout): DiagramLabel {
  const lane = step.member ?? COORDINATOR
  const isLeft = step.to !== null || step.kind === 'decide'
  // A message is named where it leaves the lane, or where it arrives; a sync where it is done.
  const leaves = step.to !== null && step.from === lane
  const moment = leaves ? step.beginsUs : momentOf(step)
  // One that is not known to have arrived is named below its head, where no other one passes.
  const below =
    isOpen(step) && !leaves
      ? openFall(distance(step.from, step.to ?? step.from)) + BELOW_HEAD_PX
      : belowOf(step)
  return {
    step,
    column: `${lane} ${isLeft ? 'left' : 'right'}`,
    x: xOf(lane) + (isLeft ? -BESIDE_LANE_PX : BESIDE_LANE_PX),
    y: yOf(moment) + below,
    anchor: isLeft ? 'end' : 'start',
  }
}

function belowOf({ kind, to }: Step): number {
  if (kind === 'decide') return BELOW_DECISION_PX
  return to === null ? BESIDE_SYNC_PX : ABOVE_LINE_PX
}
