/**
 * The types of the REST interface, in the shape that openapi-typescript gives. Only `api/` reads this
 * file, so that types generated from the server's OpenAPI document can take its place.
 */

export interface paths {
  '/api/v1/books': {
    get: operations['list_books']
    post: operations['create_book']
  }
  '/api/v1/books/{id}': {
    get: operations['read_book']
    put: operations['replace_book']
    delete: operations['delete_book']
  }
  '/api/v1/changes/{id}': { get: operations['read_change'] }
  '/api/v1/imports': { post: operations['start_import'] }
  '/api/v1/imports/{id}': { get: operations['read_import'] }
  '/api/v1/replications': {
    get: operations['list_local_changes']
    post: operations['replicate']
  }
  '/api/v1/restorations': {
    get: operations['list_restorations']
    post: operations['start_restoration']
  }
  '/api/v1/restorations/{id}': { get: operations['read_restoration'] }
  '/api/v1/cluster': { get: operations['read_cluster'] }
  '/api/v1/members': { post: operations['add_member'] }
  '/api/v1/members/{id}': {
    patch: operations['change_member']
    delete: operations['remove_member']
  }
  '/api/v1/lab': { get: operations['load_lab'] }
  '/api/v1/lab/services/{name}': { post: operations['lab_service'] }
  '/api/v1/lab/services/{name}/link': { put: operations['lab_link'] }
  '/api/v1/lab/damage': { post: operations['lab_damage'] }
  '/api/v1/lab/replicators/{id}/vote-abort': { post: operations['lab_vote_abort'] }
  '/api/v1/lab/coordinator/crash-at': { post: operations['lab_crash_at'] }
  '/api/v1/lab/steps': { put: operations['lab_steps'] }
  '/api/v1/lab/steps/release': { post: operations['lab_release'] }
  '/api/v1/rounds': { get: operations['list_rounds'] }
  '/api/v1/rounds/{id}': { get: operations['read_round'] }
}

export interface components {
  schemas: {
    Author: { name: string; surname: string }
    BookInput: {
      title: string
      authors: components['schemas']['Author'][]
      isbn?: string | null
      publisher?: string | null
      published?: number | null
      language?: string | null
      subjects?: string[]
    }
    Book: {
      id: string
      title: string
      authors: components['schemas']['Author'][]
      isbn: string | null
      publisher: string | null
      published: number | null
      language: string | null
      subjects: string[]
      created: string
      digest: string
      version: number
      /** Set when the file on this server's disk is not what was committed. */
      local?: 'modified' | 'missing' | null
    }
    BookList: { items: components['schemas']['Book'][]; next: string | null; total: number }
    FieldError: { field: string; message: string }
    RowError: { row: number; error: string }
    Vote: {
      member: string
      vote: 'commit' | 'abort' | 'none'
      cause?: string | null
      reason?: string | null
      after_us?: number | null
      received_after_us?: number | null
      staged_after_us?: number | null
      durable_after_us?: number | null
      acknowledged_after_us?: number | null
    }
    Problem: {
      type: string
      title: string
      status: number
      detail?: string | null
      errors?: components['schemas']['FieldError'][]
      votes?: components['schemas']['Vote'][]
      round?: string | null
      change?: string | null
      current?: string | null
      failed?: components['schemas']['RowError'][]
    }
    Change: {
      change: string
      state: 'committed' | 'aborted' | 'unknown'
      round?: string | null
      version?: number | null
      id?: string | null
      digest?: string | null
      detail?: string | null
    }
    Import: {
      id: string
      state: 'running' | 'done' | 'failed' | 'unknown'
      imported: number
      failed: components['schemas']['RowError'][]
      total: number | null
      rounds: number
      detail?: string | null
    }
    LocalChange: {
      path: string
      id?: string | null
      state: 'modified' | 'missing' | 'added' | 'invalid'
      committed_digest?: string | null
      found_digest?: string | null
      detail?: string | null
    }
    LocalChangeList: {
      items: components['schemas']['LocalChange'][]
      next: string | null
      total: number
    }
    Replication: {
      outcome: 'committed' | 'nothing_to_do'
      round?: string | null
      version?: number | null
      changes: number
      votes?: components['schemas']['Vote'][]
    }
    Ballot: {
      member: string
      holding: 'intact' | 'stale' | 'damaged' | 'missing' | 'extra' | 'changing' | 'no_answer'
      digest?: string | null
      size?: number | null
      note?: string | null
    }
    RestorationAction: {
      member: string
      action: 'healed' | 'would_heal' | 'failed' | 'left'
      detail?: string | null
      quarantined?: string | null
    }
    RestoredFile: {
      path: string
      id?: string | null
      title?: string | null
      record: { digest: string | null; version: number } | null
      ballot: components['schemas']['Ballot'][]
      verdict: 'majority' | 'proven' | 'lost' | 'undecided'
      winner: string | null
      actions: components['schemas']['RestorationAction'][]
    }
    RestorationSummary: {
      members: number
      files: number
      intact: number
      damaged: number
      healed: number
      lost: number
      undecided: number
      left: number
    }
    Restoration: {
      id: string
      state: 'running' | 'done' | 'failed'
      dry_run: boolean
      started_at: string
      finished_at?: string | null
      version: number
      detail?: string | null
      progress?: {
        phase: 'scanning' | 'comparing' | 'deciding' | 'healing' | 'done'
        done: number
        total: number
      } | null
      summary?: components['schemas']['RestorationSummary'] | null
      not_compared?: { member: string; reason: string }[]
      /** Left out in lists. */
      files?: components['schemas']['RestoredFile'][]
    }
    RestorationList: {
      items: components['schemas']['Restoration'][]
      next: string | null
      total: number
    }
    Member: {
      id: string
      /** Joining: it votes as soon as it has caught up. */
      role: 'voter' | 'joining' | 'observer'
      state: 'in_sync' | 'catching_up' | 'down'
      connected: boolean
      version: number
      in_doubt_since?: string | null
      in_doubt_round?: string | null
      address?: string | null
      detail?: string | null
      scrub?: components['schemas']['Scrub'] | null
      /** How far it is brought level; `to` is the version that it is brought to. */
      catch_up?: { to: number; files_sent: number; files_left: number; bytes_sent: number } | null
      /** When it was last connected, if it is not. */
      last_seen?: string | null
    }
    /** The last full pass of a replicator over its own files. */
    Scrub: {
      started_at: string
      finished_at: string | null
      files: number
      bytes: number
      clean: number
      damaged: number
      stale: number
      changing: number
      unknown: number
      extra: number
      detail?: string | null
    }
    Cluster: {
      epoch: number
      version: number
      root: string
      min_in_sync: number
      commit_policy: string
      accepting_writes: boolean
      why_not?: string | null
      members: components['schemas']['Member'][]
      coordinator: { connected: boolean; since?: string | null; address?: string | null }
      app_server: { id: string; version: number; level: boolean; books: number; modified: number }
      /** All of the cluster, this one too. */
      app_servers: { id: string; address: string | null; connected: boolean }[]
      lab: boolean
    }
    Round: {
      id: string
      epoch: number
      number: number
      outcome: 'in_flight' | 'committed' | 'aborted'
      version: number | null
      changes: number
      participants: string[]
      votes: components['schemas']['Vote'][]
      started_at: string
      decided_after_us?: number | null
      ended_after_us?: number | null
      reason?: string | null
    }
    LinkJson: { state: 'whole' | 'cut' | 'slow'; delay_ms?: number | null }
    ServiceJson: {
      name: string
      state: 'running' | 'paused' | 'restarting' | 'dead'
      link?: components['schemas']['LinkJson'] | null
    }
    HeldMessageJson: {
      id: number
      from: string
      to: string
      message: 'prepare' | 'vote_commit' | 'vote_abort' | 'commit' | 'abort' | 'acknowledge'
      round: string
      is_next: boolean
    }
    LabJson: {
      supervised: boolean
      services: components['schemas']['ServiceJson'][]
      steps?: { on: boolean; messages: components['schemas']['HeldMessageJson'][] } | null
    }
    RoundList: { items: components['schemas']['Round'][]; next: string | null; total: number }
  }
}

type Schemas = components['schemas']
type Json<Body> = { content: { 'application/json': Body } }
type ProblemJson = { content: { 'application/problem+json': Schemas['Problem'] } }
type Problems = { default: ProblemJson }
type Path<Id extends string> = { [name in Id]: string }

export interface operations {
  list_books: {
    parameters: {
      query?: {
        q?: string
        title?: string
        author?: string
        isbn?: string
        sort?: 'title' | 'author' | 'published' | 'created'
        order?: 'asc' | 'desc'
        limit?: number
        cursor?: string
      }
    }
    responses: { 200: Json<Schemas['BookList']> } & Problems
  }
  create_book: {
    parameters: { header?: { 'Idempotency-Key'?: string } }
    requestBody: Json<Schemas['BookInput']>
    responses: { 201: Json<Schemas['Book']>; 202: Json<Schemas['Change']> } & Problems
  }
  read_book: {
    parameters: { path: Path<'id'> }
    responses: { 200: Json<Schemas['Book']> } & Problems
  }
  replace_book: {
    parameters: {
      path: Path<'id'>
      header?: { 'Idempotency-Key'?: string; 'If-Match'?: string }
    }
    requestBody: Json<Schemas['BookInput']>
    responses: { 200: Json<Schemas['Book']>; 202: Json<Schemas['Change']> } & Problems
  }
  delete_book: {
    parameters: {
      path: Path<'id'>
      header?: { 'Idempotency-Key'?: string; 'If-Match'?: string }
    }
    responses: { 202: Json<Schemas['Change']>; 204: { content?: never } } & Problems
  }
  read_change: {
    parameters: { path: Path<'id'> }
    responses: { 200: Json<Schemas['Change']> } & Problems
  }
  start_import: {
    parameters: {
      query?: { on_error?: 'skip' | 'fail' }
      header?: { 'Idempotency-Key'?: string; Prefer?: string }
    }
    requestBody: { content: { 'text/csv': Blob; 'application/xml': Blob } }
    responses: { 200: Json<Schemas['Import']>; 202: Json<Schemas['Import']> } & Problems
  }
  read_import: {
    parameters: { path: Path<'id'> }
    responses: { 200: Json<Schemas['Import']> } & Problems
  }
  list_local_changes: {
    responses: { 200: Json<Schemas['LocalChangeList']> } & Problems
  }
  replicate: {
    parameters: { header?: { 'Idempotency-Key'?: string } }
    requestBody: Json<{ vote: 'commit' | 'abort' }>
    responses: { 200: Json<Schemas['Replication']>; 202: Json<Schemas['Change']> } & Problems
  }
  list_restorations: {
    responses: { 200: Json<Schemas['RestorationList']> } & Problems
  }
  start_restoration: {
    parameters: { header?: { 'Idempotency-Key'?: string } }
    requestBody: Json<{ dry_run: boolean }>
    responses: { 200: Json<Schemas['Restoration']>; 202: Json<Schemas['Restoration']> } & Problems
  }
  read_restoration: {
    parameters: { path: Path<'id'> }
    responses: { 200: Json<Schemas['Restoration']> } & Problems
  }
  read_cluster: {
    responses: { 200: Json<Schemas['Cluster']> } & Problems
  }
  add_member: {
    requestBody: Json<{ id: string; role?: 'voter' | 'observer' }>
    responses: { 204: { content?: never } } & Problems
  }
  change_member: {
    parameters: { path: Path<'id'> }
    requestBody: Json<{ role: 'voter' | 'observer' }>
    responses: { 204: { content?: never } } & Problems
  }
  remove_member: {
    parameters: { path: Path<'id'> }
    responses: { 204: { content?: never } } & Problems
  }
  load_lab: { responses: { 200: Json<Schemas['LabJson']> } & Problems }
  lab_service: {
    parameters: { path: Path<'name'> }
    requestBody: Json<{ action: 'kill' | 'start' | 'pause' | 'resume' }>
    responses: { 200: Json<Schemas['ServiceJson'][]> } & Problems
  }
  lab_link: {
    parameters: { path: Path<'name'> }
    requestBody: Json<Schemas['LinkJson']>
    responses: { 200: Json<Schemas['ServiceJson'][]> } & Problems
  }
  lab_damage: {
    requestBody: Json<{
      book: string
      replicators: string[]
      how: 'flip_letter' | 'truncate' | 'delete' | 'remember' | 'put_back'
    }>
    responses: { 200: Json<Schemas['ServiceJson'][]> } & Problems
  }
  lab_vote_abort: {
    parameters: { path: Path<'id'> }
    requestBody: Json<{ reason?: string }>
    responses: { 204: { content?: never } } & Problems
  }
  lab_crash_at: {
    requestBody: Json<{
      point: 'prepare_sent' | 'votes_received' | 'decision_durable' | 'first_commit_sent'
      stay_dead?: boolean
    }>
    responses: { 204: { content?: never } } & Problems
  }
  lab_steps: {
    requestBody: Json<{ on: boolean }>
    responses: { 204: { content?: never } } & Problems
  }
  lab_release: {
    requestBody: Json<{ id: number }>
    responses: { 204: { content?: never } } & Problems
  }
  list_rounds: {
    parameters: {
      query?: { limit?: number; cursor?: string; outcome?: 'in_flight' | 'committed' | 'aborted' }
    }
    responses: { 200: Json<Schemas['RoundList']> } & Problems
  }
  read_round: {
    parameters: { path: Path<'id'> }
    responses: { 200: Json<Schemas['Round']> } & Problems
  }
}
