import type { RowError } from '@/api/types'

/** The row errors as CSV (RFC 4180). */
export function rowErrorsCsv(errors: RowError[]): string {
  const lines = errors.map(({ row, error }) => `${row},"${error.replaceAll('"', '""')}"`)
  return ['row,error', ...lines, ''].join('\r\n')
}
