/** What scenarios expect of the report of a restore. */
import type { Restoration, RestoredFile } from '@/api/types'
import { Unexpected } from './scenario'

export function fileOf(report: Restoration, book: string): RestoredFile {
  const file = report.files?.find(({ id }) => id === book)
  if (!file) throw new Unexpected('the report does not name the file')
  return file
}

/** These hold something else than the winner, which is this digest; everybody else holds the winner. */
export function finds(
  file: RestoredFile,
  wanted: { damaged?: string[]; stale?: string[]; winner: string },
): void {
  if (file.winner !== wanted.winner) {
    throw new Unexpected(
      `the verdict is ${file.verdict}, and the winner ${file.winner ?? 'nobody'}`,
    )
  }
  for (const { member, holding } of file.ballot) {
    const expected = wanted.damaged?.includes(member)
      ? 'damaged'
      : wanted.stale?.includes(member)
        ? 'stale'
        : 'intact'
    if (holding !== expected) throw new Unexpected(`${member} holds it ${holding}, not ${expected}`)
  }
}

/** Each of these was healed, and what it held before is in quarantine. */
export function healed(report: Restoration, book: string, members: string[]): void {
  const { actions } = fileOf(report, book)
  for (const wanted of members) {
    const found = actions.find(({ member }) => member === wanted)
    if (found?.action !== 'healed') {
      throw new Unexpected(
        `${wanted}: ${found?.action ?? 'nothing was done'} ${found?.detail ?? ''}`,
      )
    }
    if (!found.quarantined) throw new Unexpected(`${wanted} kept no bytes in quarantine`)
  }
}

export function nothingFound(report: Restoration, book: string): void {
  const file = report.files?.find(({ id }) => id === book)
  if (file) throw new Unexpected(`the file is still reported: ${file.verdict}`)
}
