/** Short names for the types of the REST interface; the rest of the page imports them from here. */
import type { components, operations } from './schema'

type Schemas = components['schemas']

export type Author = Schemas['AuthorJson']
export type Ballot = Schemas['BallotJson']
export type Book = Schemas['BookJson']
export type BookInput = Schemas['BookInput']
export type BookList = Schemas['BookList']
export type Change = Schemas['ChangeJson']
export type Cluster = Schemas['ClusterJson']
export type FieldError = Schemas['FieldError']
export type Import = Schemas['ImportReport']
export type HeldMessage = Schemas['HeldMessageJson']
export type Lab = Schemas['LabJson']
export type LabService = Schemas['ServiceJson']
export type LocalChange = Schemas['EditJson']
export type Member = Schemas['MemberJson']
export type MemberScrubs = Schemas['MemberScrubsJson']
export type Pending = Schemas['PendingJson']
export type Replication = Schemas['ReplicationJson']
export type Restoration = Schemas['RestorationJson']
export type RestoredFile = Schemas['RestoredFileJson']
export type Round = Schemas['RoundJson']
export type RowError = Schemas['FailedRow']
export type Scrub = Schemas['ScrubJson']
export type Vote = Schemas['Vote']

export type CrashPoint = Schemas['CrashPoint']
export type FileDamage = Schemas['FileDamage']
export type ServiceAction = Schemas['ServiceAction']

type BookListQuery = NonNullable<operations['list_books']['parameters']['query']>

export type BookSort = NonNullable<BookListQuery['sort']>
export type SortOrder = NonNullable<BookListQuery['order']>

/** One event of the stream `/api/v1/events`. */
export interface ClusterEvent {
  id: string
  /** `round`, `member`, `view`, `catch_up`, `restoration`, `scrub`, `import`, `catalogue`, `link` or `lab`. */
  name: string
  at: string
  round: string | null
  /** A plain sentence, in English. */
  text: string
}
