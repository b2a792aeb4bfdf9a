/** How reads behave: refusals are not asked again, silence and "not ready yet" are. */
import { QueryClient, type VueQueryPluginOptions } from '@tanstack/vue-query'
import { ApiError } from '@/api/problem'

const RETRIES_MAX = 3
const RETRY_MS_MAX = 5_000

export function shouldRetry(failures: number, error: Error): boolean {
  // 503 says that the server is not ready yet, for instance right after its start.
  if (error instanceof ApiError) return error.problem.status === 503
  return failures < RETRIES_MAX
}

export function retryDelayMs(failures: number, error: Error): number {
  const asked = error instanceof ApiError ? error.problem.retryAfterSeconds : null
  if (asked !== null) return Math.min(Math.max(asked, 1) * 1_000, RETRY_MS_MAX)
  return Math.min(500 * 2 ** failures, RETRY_MS_MAX)
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: shouldRetry,
      retryDelay: retryDelayMs,
      // The server is often this machine, which is reachable without any network.
      networkMode: 'always',
      staleTime: 2_000,
    },
    mutations: { networkMode: 'always', retry: false },
  },
})

export const queryOptions: VueQueryPluginOptions = { queryClient }
