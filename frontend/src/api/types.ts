/** Short names for the types of the REST interface; the rest of the page imports them from here. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Author = Schemas['Author']
export type Ballot = Schemas['Ballot']
export type Book = Schemas['Book']
export type BookInput = Schemas['BookInput']
export type BookList = Schemas['BookList']
export type Change = Schemas['Change']
export type Cluster = Schemas['Cluster']
export type FieldError = Schemas['FieldError']
export type Import = Schemas['Import']
export type LocalChange = Schemas['LocalChange']
export type HeldMessage = Schemas['HeldMessageJson']
export type Lab = Schemas['LabJson']
export type LabService = Schemas['ServiceJson']
export type Member = Schemas['Member']
export type Replication = Schemas['Replication']
export type Restoration = Schemas['Restoration']
export type RestoredFile = Schemas['RestoredFile']
export type Round = Schemas['Round']
export type RowError = Schemas['RowError']
export type Vote = Schemas['Vote']

export type CrashPoint =
  'prepare_sent' | 'votes_received' | 'decision_durable' | 'first_commit_sent'
export type FileDamage = 'flip_letter' | 'truncate' | 'delete' | 'remember' | 'put_back'
export type ServiceAction = 'kill' | 'start' | 'pause' | 'resume'

export type BookSort = 'title' | 'author' | 'published' | 'created'
export type SortOrder = 'asc' | 'desc'

/** One event of the stream `/api/v1/events`. */
export interface ClusterEvent {
  id: string
  /** `round`, `member`, `view`, `catch_up`, `restoration`, `scrub`, `import`, `catalogue` or `link`. */
  name: string
  at: string
  round: string | null
  /** A plain sentence, in English. */
  text: string
}
