import { expect, it } from 'vitest'
import { aborted, inFlight } from './round.fixture'
import { mermaidOf } from './roundMermaid'

it('writes a line for each step, and no sign that Mermaid would read as its own', () => {
  const text = mermaidOf(aborted(), (step) => `${step.kind} ${step.vote?.reason ?? ''}`)
  expect(text.split('\n').slice(0, 5)).toEqual([
    'sequenceDiagram',
    '  participant p0 as app-server',
    '  participant p1 as coordinator',
    '  participant p2 as replicator-1',
    '  participant p3 as replicator-2',
  ])
  expect(text).toContain('  p3->>p1: vote its disk is full#59; #35;1')
  expect(text).toContain('  Note over p1: decide')
})

it('does not let a message arrive of which nothing was heard', () => {
  expect(mermaidOf(inFlight(), ({ kind }) => kind)).toContain('  p1--xp3: prepare')
})
