/**
 * Decides when to load again what events have made old. Events arrive by the hundred under load: this
 * gathers them, and rests after each reload at least as long as the reload took.
 */
import type { QueryClient } from '@tanstack/vue-query'

const REST_MS_MIN = 1_000

export type Subject = 'books' | 'cluster' | 'imports' | 'replications' | 'restorations' | 'rounds'

/** What an event of the stream makes old. */
export const SUBJECTS_BY_EVENT: Record<string, Subject[]> = {
  round: ['rounds', 'cluster'],
  member: ['cluster'],
  view: ['cluster'],
  catch_up: ['cluster'],
  restoration: ['restorations', 'replications'],
  scrub: ['cluster'],
  import: ['imports'],
  catalogue: ['books', 'cluster', 'replications'],
  link: ['cluster'],
  // The page of the lab listens to its own events: it must not rest between them.
  lab: [],
}

export const SUBJECTS: Subject[] = [
  'books',
  'cluster',
  'imports',
  'replications',
  'restorations',
  'rounds',
]

export class Refresher {
  private readonly waiting = new Set<Subject>()
  private readonly resting = new Set<Subject>()

  constructor(private readonly queries: QueryClient) {}

  /** The subjects are old: load them again, now or after their rest. */
  mark(subjects: Subject[]): void {
    for (const subject of subjects) {
      this.waiting.add(subject)
      if (!this.resting.has(subject)) void this.reload(subject)
    }
  }

  private async reload(subject: Subject): Promise<void> {
    this.resting.add(subject)
    const startMs = performance.now()
    this.waiting.delete(subject)
    // A load that is under way may have read the old state, so it is dropped and begun anew.
    await this.queries.invalidateQueries({ queryKey: [subject] }, { cancelRefetch: true })
    const tookMs = performance.now() - startMs
    setTimeout(
      () => {
        this.resting.delete(subject)
        if (this.waiting.has(subject)) void this.reload(subject)
      },
      Math.max(REST_MS_MIN, tookMs),
    )
  }
}
