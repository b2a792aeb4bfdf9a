/** Changes of who is a member. Each throws `ApiError` when it was refused, and `NoAnswer` when it is not known. */
import { client, read } from './client'

/** What a member can be asked to be; `joining` is a voter to be. */
export type WantedRole = 'voter' | 'observer'

export async function addMember(id: string, role: WantedRole): Promise<void> {
  await read(client.POST('/api/v1/members', { body: { id, role } }))
}

export async function changeRole(id: string, role: WantedRole): Promise<void> {
  await read(client.PATCH('/api/v1/members/{id}', { params: { path: { id } }, body: { role } }))
}

export async function removeMember(id: string): Promise<void> {
  await read(client.DELETE('/api/v1/members/{id}', { params: { path: { id } } }))
}
