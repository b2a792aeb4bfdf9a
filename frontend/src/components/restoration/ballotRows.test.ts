import { describe, expect, it } from 'vitest'
import type { RestoredFile } from '@/api/types'
import { ballotRows } from './ballotRows'

const file: RestoredFile = {
  path: 'books/3f/1.xml',
  id: null,
  title: null,
  record: { digest: 'd', version: 1 },
  ballot: [
    { member: 'replicator-1', holding: 'intact', digest: 'd', size: 412, note: null },
    { member: 'replicator-2', holding: 'damaged', digest: 'x', size: 412, note: null },
  ],
  verdict: 'proven',
  winner: 'd',
  actions: [
    { member: 'app-server-1', action: 'healed', detail: null, quarantined: null },
    { member: 'replicator-2', action: 'healed', detail: null, quarantined: 'quarantine/1' },
  ],
}

describe('the rows of a ballot', () => {
  it('put what was done beside the vote of the same member', () => {
    const rows = ballotRows(file)
    expect(rows[0]).toMatchObject({ member: 'replicator-1', action: null })
    expect(rows[1]).toMatchObject({
      member: 'replicator-2',
      ballot: { holding: 'damaged' },
      action: { quarantined: 'quarantine/1' },
    })
  })

  it('show a copy that has no vote but was put right', () => {
    expect(ballotRows(file)[2]).toMatchObject({
      member: 'app-server-1',
      ballot: null,
      action: { action: 'healed' },
    })
  })
})
