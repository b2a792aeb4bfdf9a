/** A round as a Mermaid sequence diagram, for documents and slides. */
import type { Round } from '@/api/types'
import { APP_SERVER, COORDINATOR, stepsOf, type Step } from './roundSteps'

/** The words of a step, in the language of the page. */
export type StepLabel = (step: Step) => string

export function mermaidOf(round: Round, label: StepLabel): string {
  const parties = [APP_SERVER, COORDINATOR, ...round.participants]
  const names = new Map(parties.map((party, place) => [party, `p${place}`]))
  const name = (party: string) => names.get(party) ?? 'p1'
  return [
    'sequenceDiagram',
    ...parties.map((party) => `  participant ${name(party)} as ${plain(party)}`),
    ...stepsOf(round).map((step) => `  ${line(step, name, plain(label(step)))}`),
    '',
  ].join('\n')
}

function line(step: Step, name: (party: string) => string, words: string): string {
  if (step.to === null) return `Note over ${name(step.from)}: ${words}`
  const arrow = step.endsUs === null ? '--x' : '->>'
  return `${name(step.from)}${arrow}${name(step.to)}: ${words}`
}

/** What Mermaid would read as its own signs is written as entities. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[#;:<>]/g, (sign) => `#${sign.codePointAt(0)};`)
}
