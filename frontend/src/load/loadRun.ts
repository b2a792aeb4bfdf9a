/** Writes many books through the REST interface and notes how long each took and how it ended. Asks and measures; judges nothing. */
import { createBook } from '@/api/books'
import { freshKey } from '@/api/idempotencyKey'
import type { WriteOutcome } from '@/api/write'
import type { Book } from '@/api/types'

export type Ending = WriteOutcome<Book>['kind']

export interface Written {
  title: string
  /** When it was sent, in milliseconds after the run began. */
  sentMs: number
  tookMs: number
  ending: Ending
  /** What was committed, as it was answered. */
  book: Book | null
  /** By which an outcome that is not known can be asked for; null if no answer named it. */
  change: string | null
}

export interface LoadOptions {
  writers: number
  seconds: number
}

/** A load that runs. */
export class LoadRun {
  /** A word that only the books of this run have in their titles. */
  readonly mark = `load${freshKey().replaceAll('-', '').slice(0, 12)}`
  readonly written: Written[] = []
  private startMs = 0
  private count = 0
  private isStopped = false

  constructor(private readonly options: LoadOptions) {}

  elapsedMs(): number {
    return this.startMs === 0 ? 0 : performance.now() - this.startMs
  }

  stop(): void {
    this.isStopped = true
  }

  /** Runs to its end; every writer waits for its answer before it sends the next book. */
  async run(): Promise<void> {
    this.startMs = performance.now()
    const writers = Array.from({ length: this.options.writers }, () => this.write())
    await Promise.all(writers)
  }

  private async write(): Promise<void> {
    while (!this.isStopped && this.elapsedMs() < this.options.seconds * 1_000) {
      const title = `${this.mark} ${++this.count}`
      const sentMs = this.elapsedMs()
      const outcome = await createBook(
        { title, authors: [{ name: '', surname: 'Load' }] },
        freshKey(),
      )
      this.written.push({
        title,
        sentMs,
        tookMs: this.elapsedMs() - sentMs,
        ending: outcome.kind,
        book: outcome.kind === 'committed' ? outcome.value : null,
        change: outcome.kind === 'unknown' ? outcome.change : null,
      })
    }
  }
}

/** The value below which so large a part of the sorted values lies. */
export function quantile(sorted: number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}
