/** Requests about restorations. */
import { answered, client, read } from './client'
import { ApiError, problemOf } from './problem'
import type { List } from './cluster'
import type { Restoration } from './types'

/** Starts a restoration, or a dry run of one; gives its id. */
export async function startRestoration(dryRun: boolean): Promise<string> {
  const { data, error, response } = await answered(
    client.POST('/api/v1/restorations', { body: { dry_run: dryRun } }),
  )
  if (!response.ok) throw new ApiError(problemOf(error, response))
  return data?.id ?? response.headers.get('Location')?.split('/').pop() ?? ''
}

export function readRestoration(id: string): Promise<Restoration> {
  return read(client.GET('/api/v1/restorations/{id}', { params: { path: { id } } }))
}

/** The newest restorations first, without their files. */
export function listRestorations(): Promise<List<Restoration>> {
  return read(client.GET('/api/v1/restorations'))
}

/** What a member held of a file when the report was made, as text. Throws `ApiError` with status 404 if those bytes are nowhere any more. */
export async function readCopy(report: string, path: string, member: string): Promise<string> {
  return (await read(
    client.GET('/api/v1/restorations/{id}/copy', {
      params: { path: { id: report }, query: { path, member } },
      parseAs: 'text',
    }),
  )) as string
}
