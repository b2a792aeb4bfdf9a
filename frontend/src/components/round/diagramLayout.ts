/** Where everything of a round's diagram stands, in pixels. Pure: knows neither colours nor words. */
import { APP_SERVER, COORDINATOR, momentsOf, type Step } from './roundSteps'

export type TimeAxis = 'steps' | 'scale'

export interface Tick {
  atUs: number
  y: number
}

export interface Layout {
  width: number
  height: number
  /** From the left: the app-server, the coordinator, the replicators. */
  lanes: { id: string; x: number }[]
  ticks: Tick[]
  lanePx: number
  top: number
  bottom: number
  /** How many lanes lie between two parties. */
  distance: (one: string, other: string) => number
  xOf: (party: string) => number
  yOf: (atUs: number) => number
}

/** Room for the times at the left. */
export const GUTTER_PX = 68
const LANE_PX_MIN = 122
const LANE_PX_MAX = 260
const TOP_PX = 76
const ROW_PX = 27
const SCALE_PX = 560
const BOTTOM_PX = 20
const TICKS_MAX = 8
const OPEN_FALL_PX = 22
const OPEN_FALL_PER_LANE_PX = 10
const LABEL_BELOW_PX = 16

/** How far a message falls of which nothing is known: the farther it goes, the flatter, so that several can be told apart. */
export function openFall(lanes: number): number {
  return OPEN_FALL_PX + OPEN_FALL_PER_LANE_PX * lanes
}

/** Sent, and not known to have arrived. */
export function isOpen({ to, endsUs }: Step): boolean {
  return to !== null && endsUs === null
}

export function layOut(
  steps: Step[],
  participants: string[],
  axis: TimeAxis,
  roomPx: number,
): Layout {
  const parties = [APP_SERVER, COORDINATOR, ...participants]
  const lanePx = Math.min(
    LANE_PX_MAX,
    Math.max(LANE_PX_MIN, Math.floor((roomPx - GUTTER_PX) / parties.length)),
  )
  const lanes = parties.map((id, place) => ({ id, x: GUTTER_PX + lanePx * (place + 0.5) }))
  const xs = new Map(lanes.map(({ id, x }) => [id, x]))
  const moments = momentsOf(steps)
  const hasOpen = steps.some(isOpen)
  const { ticks, yOf, bottom: end } = axis === 'steps' ? inSteps(moments) : toScale(moments)
  const bottom = hasOpen ? end + openFall(participants.length) + LABEL_BELOW_PX : end
  return {
    width: GUTTER_PX + lanePx * parties.length,
    height: bottom + BOTTOM_PX,
    lanes,
    lanePx,
    ticks,
    top: TOP_PX,
    bottom,
    distance: (one, other) => Math.abs(parties.indexOf(one) - parties.indexOf(other)),
    xOf: (party) => xs.get(party) ?? GUTTER_PX,
    yOf,
  }
}

type Axis = Pick<Layout, 'ticks' | 'yOf' | 'bottom'>

/** One row for each moment, however far apart they are. */
function inSteps(moments: number[]): Axis {
  const places = new Map(moments.map((atUs, place) => [atUs, TOP_PX + place * ROW_PX]))
  return {
    ticks: moments.map((atUs) => ({ atUs, y: places.get(atUs)! })),
    yOf: (atUs) => places.get(atUs) ?? TOP_PX,
    bottom: TOP_PX + Math.max(1, moments.length - 1) * ROW_PX + ROW_PX / 2,
  }
}

/** Distances are times. */
function toScale(moments: number[]): Axis {
  const lastUs = Math.max(1, moments.at(-1) ?? 1)
  const yOf = (atUs: number) => TOP_PX + (atUs / lastUs) * SCALE_PX
  const stepUs = roundStep(lastUs / TICKS_MAX)
  const ticks: Tick[] = []
  for (let atUs = 0; atUs <= lastUs; atUs += stepUs) ticks.push({ atUs, y: yOf(atUs) })
  return { ticks, yOf, bottom: TOP_PX + SCALE_PX + ROW_PX / 2 }
}

/** The next larger of 1, 2 and 5 times a power of ten. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

/** The labels that have room, the earlier ones first; each names the column that it stands in. */
export function labelsWithRoom<Label extends { column: string; y: number }>(
  labels: Label[],
  linePx: number,
): Label[] {
  const last = new Map<string, number>()
  return [...labels]
    .sort((one, other) => one.y - other.y)
    .filter(({ column, y }) => {
      const isFree = y - (last.get(column) ?? -Infinity) >= linePx
      if (isFree) last.set(column, y)
      return isFree
    })
}
