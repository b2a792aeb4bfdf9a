/** Requests of the lab. Each throws `ApiError` with the server's sentence when it was not done. */
import { client, read } from './client'
import type { CrashPoint, FileDamage, Lab, LabService, ServiceAction } from './types'

export function readLab(): Promise<Lab> {
  return read(client.GET('/api/v1/lab'))
}

export async function changeService(name: string, action: ServiceAction): Promise<void> {
  await read(
    client.POST('/api/v1/lab/services/{name}', { params: { path: { name } }, body: { action } }),
  )
}

export async function changeLink(
  name: string,
  link: NonNullable<LabService['link']>,
): Promise<void> {
  await read(
    client.PUT('/api/v1/lab/services/{name}/link', { params: { path: { name } }, body: link }),
  )
}

export async function damageFile(
  book: string,
  replicators: string[],
  how: FileDamage,
): Promise<void> {
  await read(client.POST('/api/v1/lab/damage', { body: { book, replicators, how } }))
}

export async function voteAbortNext(id: string): Promise<void> {
  await read(
    client.POST('/api/v1/lab/replicators/{id}/vote-abort', { params: { path: { id } }, body: {} }),
  )
}

/** The coordinator dies there in its next round, and stays dead until it is started. */
export async function crashCoordinatorAt(point: CrashPoint): Promise<void> {
  await read(client.POST('/api/v1/lab/coordinator/crash-at', { body: { point, stay_dead: true } }))
}

/** It does not die any more in its next round. */
export async function crashCoordinatorNowhere(): Promise<void> {
  await read(client.DELETE('/api/v1/lab/coordinator/crash-at'))
}

export async function turnSteps(on: boolean): Promise<void> {
  await read(client.PUT('/api/v1/lab/steps', { body: { on } }))
}

export async function releaseMessage(id: number): Promise<void> {
  await read(client.POST('/api/v1/lab/steps/release', { body: { id } }))
}
