/** Requests about imports. */
import { answered, client, read } from './client'
import { ApiError, NoAnswer, problemOf } from './problem'
import { servers } from './servers'
import type { Import } from './types'

export type ImportType = 'text/csv' | 'application/xml'
export type OnError = 'skip' | 'fail'

/** Sends a file; the answer is the job as it stands. Sent again with the same key it continues. */
export async function startImport(
  file: Blob,
  type: ImportType,
  onError: OnError,
  key: string,
): Promise<Import> {
  const { data, error, response } = await answered(
    client.POST('/api/v1/imports', {
      params: {
        query: { on_error: onError },
        header: { 'Idempotency-Key': key, Prefer: 'respond-async' },
      },
      headers: { 'Content-Type': type },
      // The document knows of text only; the file goes out as it is, unread.
      body: '',
      bodySerializer: () => file,
    }),
  )
  // What a server did that gave no answer, the one that refuses now does not know.
  if (response.status === 503 && servers.cameAfterSilence(response)) throw new NoAnswer(error)
  if (!response.ok) throw new ApiError(problemOf(error, response))
  const job = data as Partial<Import> | undefined
  const id = job?.id ?? response.headers.get('Location')?.split('/').pop() ?? ''
  return {
    state: 'running',
    imported: 0,
    failed: [],
    total: 0,
    rounds: 0,
    detail: null,
    ...job,
    id,
  }
}

export function readImport(id: string): Promise<Import> {
  return read(client.GET('/api/v1/imports/{id}', { params: { path: { id } } }))
}
