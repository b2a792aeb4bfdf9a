/** The guided scenarios, in the order in which they teach. */
import { doubt } from './doubt'
import { lateJoiner } from './lateJoiner'
import { lostDecision } from './lostDecision'
import { minority } from './minority'
import { refusal } from './refusal'
import type { Scenario } from './scenario'
import { staleMajority } from './staleMajority'

export const SCENARIOS: (() => Scenario)[] = [
  minority,
  doubt,
  refusal,
  staleMajority,
  lateJoiner,
  lostDecision,
]
