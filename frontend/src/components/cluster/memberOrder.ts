/** What a person can order about the members, and how it is carried out. */
import { addMember, changeRole, removeMember, type WantedRole } from '@/api/members'
import type { Member } from '@/api/types'

export type MemberOrder = { kind: 'add' } | { kind: 'remove' | 'promote' | 'demote'; id: string }

/** The next name after those that are taken: replicator-4 after replicator-3. */
export function nextName(members: Pick<Member, 'id'>[]): string {
  const numbers = members.map(({ id }) => Number(/^replicator-(\d+)$/.exec(id)?.[1] ?? 0))
  return `replicator-${Math.max(0, ...numbers) + 1}`
}

export function carryOut(kind: MemberOrder['kind'], id: string, role: WantedRole): Promise<void> {
  switch (kind) {
    case 'add':
      return addMember(id, role)
    case 'remove':
      return removeMember(id)
    case 'promote':
      return changeRole(id, 'voter')
    case 'demote':
      return changeRole(id, 'observer')
  }
}
