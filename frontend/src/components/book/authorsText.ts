import type { Author } from '@/api/types'

/** The authors as one line: given names first, names apart by commas. */
export function authorsText(authors: Author[]): string {
  return authors.map(({ name, surname }) => `${name} ${surname}`.trim()).join(', ')
}
