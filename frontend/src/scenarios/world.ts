/**
 * What scenarios can do to the cluster and see of it, over the same REST interface as the rest of the page. Remembers
 * what it changed, so that it can put everything back.
 */
import { createBook, deleteBook, listBooks, readBook, replaceBook } from '@/api/books'
import { listRounds, readCluster } from '@/api/cluster'
import { freshKey } from '@/api/idempotencyKey'
import { changeLink, changeService, crashCoordinatorAt, readLab, turnSteps } from '@/api/lab'
import { removeMember } from '@/api/members'
import { ApiError } from '@/api/problem'
import { readRestoration, startRestoration } from '@/api/restorations'
import type { Book, BookInput, Cluster, CrashPoint, Restoration, Round } from '@/api/types'
import { askChange, type WriteOutcome } from '@/api/write'
import { Unexpected } from './scenario'

const WAIT_MS_MAX = 40_000
const LOOK_EVERY_MS = 250
const COORDINATOR = 'coordinator'

/** A write on its way. */
export interface Write {
  outcome: Promise<WriteOutcome<Book>>
  /** Whether any answer has come, even that the outcome is unknown. */
  isAnswered: () => boolean
}

export class World {
  private readonly titles: string[] = []
  private readonly membersAdded: string[] = []

  /** A title that no other book has. */
  freshTitle(words: string): string {
    const title = `${words} ${freshKey().slice(0, 8)}`
    this.titles.push(title)
    return title
  }

  startWrite(title: string): Write {
    let isAnswered = false
    const outcome = createBook(bookOf(title), freshKey())
    void outcome.finally(() => (isAnswered = true))
    return { outcome, isAnswered: () => isAnswered }
  }

  async addBook(title: string): Promise<Book> {
    return committed(await createBook(bookOf(title), freshKey()))
  }

  async changeBook(book: Book, subjects: string[]): Promise<Book> {
    const input = { ...bookOf(book.title), subjects }
    return committed(await replaceBook(book.id, book.digest, input, freshKey()))
  }

  readBook = readBook

  /** How a write ended at last; asks for one that was answered with "unknown". */
  async settled(write: Write): Promise<WriteOutcome<Book>> {
    const outcome = await write.outcome
    if (outcome.kind !== 'unknown' || outcome.change === null) return outcome
    const change = outcome.change
    return this.until('the outcome is known', async () => {
      const asked = await askChange(change)
      return asked.kind === 'unknown' ? null : asked
    })
  }

  async countOf(title: string): Promise<number> {
    const query = { q: title, sort: 'title', order: 'asc' } as const
    return (await listBooks(query, { limit: 5 })).total
  }

  readCluster = readCluster

  async voters(): Promise<string[]> {
    const { members } = await readCluster()
    const voters = members.filter(({ role }) => role === 'voter')
    if (voters.length < 3) throw new Unexpected(`${voters.length} voters; three are needed`)
    return voters.map(({ id }) => id)
  }

  async newestRound(): Promise<Round | null> {
    return (await listRounds(1, null, null)).items[0] ?? null
  }

  crashCoordinatorAt(point: CrashPoint): Promise<void> {
    return crashCoordinatorAt(point)
  }

  async coordinatorDies(): Promise<void> {
    await this.until('the coordinator is dead', async () =>
      (await readLab()).services.find(({ name }) => name === COORDINATOR)?.state === 'dead'
        ? true
        : null,
    )
  }

  startCoordinator(): Promise<void> {
    return changeService(COORDINATOR, 'start')
  }

  noteMember(id: string): void {
    this.membersAdded.push(id)
  }

  /** Every voter is in sync and at the version of the cluster, and writes are accepted. */
  allLevel(): Promise<Cluster> {
    return this.until('all replicators are in sync at the same version', async () => {
      const cluster = await readCluster()
      const isLevel = cluster.members.every(
        ({ state, version }) => state === 'in_sync' && version === cluster.version,
      )
      return cluster.coordinator.connected && cluster.accepting_writes && isLevel ? cluster : null
    })
  }

  /** A restore, or a dry run of one, at its end. */
  async restore(dryRun: boolean): Promise<Restoration> {
    const id = await startRestoration(dryRun)
    return this.until('the restore has ended', async () => {
      const report = await readRestoration(id)
      if (report.state === 'failed') throw new Unexpected(report.detail ?? 'the restore failed')
      return report.state === 'done' ? report : null
    })
  }

  /** Looks again and again until there is something; errors of an answer are a "not yet". */
  async until<Value>(what: string, look: () => Promise<Value | null>): Promise<Value> {
    const end = Date.now() + WAIT_MS_MAX
    let trouble = ''
    for (;;) {
      try {
        const value = await look()
        if (value !== null) return value
      } catch (cause) {
        if (cause instanceof Unexpected) throw cause
        trouble = cause instanceof Error ? ` (${cause.message})` : ''
      }
      if (Date.now() > end)
        throw new Unexpected(`not within ${WAIT_MS_MAX / 1_000} s: ${what}${trouble}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }

  /** Puts back what a scenario may have left: held messages, dead services, broken links, members and books. */
  async tidy(): Promise<void> {
    await this.until('every process runs and every link is whole', () => this.reviveAll())
    await turnSteps(false)
    for (const id of this.membersAdded) await removeMember(id).catch(ignoreMissing)
    await this.allLevel()
    for (const title of this.titles) await this.removeBooks(title)
  }

  private async reviveAll(): Promise<true> {
    for (const { name, state, link } of (await readLab()).services) {
      if (state === 'dead') await changeService(name, 'start')
      if (state === 'paused') await changeService(name, 'resume')
      if (link && link.state !== 'whole') await changeLink(name, { state: 'whole' })
    }
    return true
  }

  private async removeBooks(title: string): Promise<void> {
    const query = { q: title, sort: 'title', order: 'asc' } as const
    const { items } = await listBooks(query, { limit: 50 })
    for (const book of items.filter((each) => each.title === title)) {
      const outcome = await deleteBook(book.id, book.digest, freshKey())
      if (outcome.kind !== 'committed') throw new Unexpected(`${title} was not removed again`)
    }
  }
}

function ignoreMissing(cause: unknown): void {
  if (!(cause instanceof ApiError)) throw cause
}

function bookOf(title: string): BookInput {
  return { title, authors: [{ name: 'A', surname: 'Scenario' }] }
}

function committed(outcome: WriteOutcome<Book>): Book {
  if (outcome.kind === 'committed' && outcome.value) return outcome.value
  const why = outcome.kind === 'refused' ? outcome.problem.detail : outcome.kind
  throw new Unexpected(`a book could not be saved: ${why}`)
}
