/** The cluster that the mock server pretends to have: members, rounds and the event stream. */

const MEMBERS = ['replicator-1', 'replicator-2', 'replicator-3']
const ROUNDS_MAX = 1000
const NEEDS_RECOVERY =
  'the coordinator is not sure of its log and presumes nothing: its log is empty; start it on the newest copy of its data directory, or see what can be done with: concordance recover'

export class MockCluster {
  constructor(version) {
    this.version = version
    this.epoch = 3
    this.number = 0
    this.rounds = []
    this.streams = new Set()
    this.eventId = 0
    this.staleSince = null
    this.members = MEMBERS.map((id, n) => this.newMember(id, 'voter', 7421 + n))
  }

  newMember(id, role, port) {
    return {
      id,
      role,
      state: 'in_sync',
      connected: true,
      version: this.version,
      in_doubt_since: null,
      in_doubt_round: null,
      address: `127.0.0.1:${port}`,
      detail: null,
      catch_up: null,
      last_seen: null,
      scrub: scrubbed(),
      disk: { free_bytes: 212_400_000_000, total_bytes: 500_000_000_000 },
    }
  }

  /** Members are added, removed and changed at once; a refusal is a sentence. */
  addMember(id, role = 'voter') {
    if (this.members.some((member) => member.id === id)) return `${id} is a member already`
    this.members.push(this.newMember(id, role, 7421 + this.members.length))
    this.tell('view', { kind: 'members', text: `${id} is a member.` })
  }

  changeMember(id, role) {
    const member = this.members.find((each) => each.id === id)
    if (!member) return `${id} is not a member`
    if (member.role === role)
      return `${id} is ${role === 'voter' ? 'a voter' : 'an observer'} already`
    const refused = role === 'observer' ? this.tooFewWithout(member) : null
    if (refused) return refused
    member.role = role
    this.tell('view', {
      kind: 'members',
      text: `${id} is ${role === 'voter' ? 'a voter' : 'an observer'} now.`,
    })
  }

  removeMember(id) {
    const member = this.members.find((each) => each.id === id)
    if (!member) return `${id} is not a member`
    const refused = this.tooFewWithout(member)
    if (refused) return refused
    this.members = this.members.filter((each) => each !== member)
    this.tell('view', { kind: 'members', text: `${id} is no longer a member.` })
  }

  tooFewWithout(leaving) {
    const voters = this.members.filter(({ role }) => role === 'voter')
    if (leaving.role !== 'voter' || voters.length > 2) return null
    return `without ${leaving.id} there would be ${voters.length - 1} voters, and 2 must be in sync; add one first`
  }

  /** Runs a round to its end at once; `abortReason` makes the second replicator vote abort. */
  round(changes, { abortReason = null, cause = 'changes', forced = false } = {}) {
    this.number += 1
    const committed = abortReason === null
    if (committed) this.version += 1
    const round = {
      id: `${this.epoch}-${this.number}`,
      epoch: this.epoch,
      number: this.number,
      outcome: committed ? 'committed' : 'aborted',
      version: committed ? this.version : null,
      changes,
      participants: MEMBERS,
      votes: MEMBERS.map((member, n) => ({
        member,
        vote: committed || n !== 1 ? 'commit' : 'abort',
        cause: committed || n !== 1 ? null : forced ? 'forced' : cause,
        reason: committed || n !== 1 ? null : abortReason,
        ...this.voteTimes(n),
        ...(committed
          ? { acknowledged_after_us: 3400 + ((this.number * 71 + n * 211) % 900) }
          : {}),
      })),
      started_at: new Date().toISOString(),
      decided_after_us: 2100 + ((this.number * 53) % 700),
      ended_after_us: committed ? 4400 : 2100 + ((this.number * 53) % 700),
      reason: abortReason,
    }
    this.rounds.unshift(round)
    this.rounds.length = Math.min(this.rounds.length, ROUNDS_MAX)
    for (const member of this.members) if (member.connected) member.version = this.version
    this.tell('round', {
      kind: round.outcome,
      round: round.id,
      text: committed
        ? `Round ${round.id} committed ${changes} change${changes === 1 ? '' : 's'} as version ${this.version}: all three replicators voted commit.`
        : `Round ${round.id} aborted: replicator-2 voted abort (${abortReason}).`,
    })
    return round
  }

  voteTimes(n) {
    const received = 180 + ((this.number * 37 + n * 61) % 140)
    const staged = received + 90 + n * 20
    const durable = staged + 610 + ((this.number * 29 + n * 113) % 700)
    return {
      received_after_us: received,
      staged_after_us: staged,
      durable_after_us: durable,
      after_us: durable + received,
    }
  }

  changed(ids) {
    this.tell('catalogue', {
      kind: 'changed',
      version: this.version,
      changed: ids.slice(0, 100),
      more: Math.max(0, ids.length - 100),
      text: `The catalogue is at version ${this.version}.`,
    })
  }

  tell(name, data) {
    const event = {
      at: new Date().toISOString(),
      epoch: this.epoch,
      parties: [],
      round: null,
      ...data,
    }
    const text = `id: ${++this.eventId}\nevent: ${name}\ndata: ${JSON.stringify(event)}\n\n`
    for (const stream of this.streams) stream.write(text)
  }

  stream(response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write(': welcome\n\n')
    this.streams.add(response)
    response.on('close', () => this.streams.delete(response))
  }

  /** Puts the cluster into a state to look at: see `serve.mjs`. */
  scenario(name) {
    const third = this.members[2] ?? this.members[0]
    const now = new Date().toISOString()
    Object.assign(third, {
      state: 'in_sync',
      connected: true,
      in_doubt_since: null,
      in_doubt_round: null,
      detail: null,
      catch_up: null,
      last_seen: null,
      scrub: scrubbed(),
    })
    third.version = this.version
    this.staleSince = null
    this.needsRecovery = false
    this.tell('member', { kind: 'looked_at', text: `The mock server shows: ${name}.` })
    if (name === 'one-down') {
      Object.assign(third, {
        state: 'down',
        connected: false,
        version: this.version - 14,
        detail: 'connection refused',
        last_seen: now,
      })
      this.tell('member', { kind: 'down', text: 'replicator-3 is down: connection refused.' })
    }
    if (name === 'in-doubt') {
      Object.assign(third, {
        connected: false,
        in_doubt_since: now,
        in_doubt_round: `${this.epoch}-${this.number + 1}`,
      })
      this.tell('member', { kind: 'in_doubt', text: 'replicator-3 is in doubt.' })
    }
    if (name === 'catching-up') {
      Object.assign(third, {
        state: 'catching_up',
        version: this.version - 14,
        detail: 'is being brought level',
        catch_up: { to: this.version, files_sent: 30, files_left: 12, bytes_sent: 48_213 },
      })
      this.tell('member', { kind: 'catching_up', text: 'replicator-3 is catching up.' })
    }
    if (name === 'damaged') {
      Object.assign(third, { scrub: scrubbed({ clean: 10_237, damaged: 2, stale: 1 }) })
      this.tell('scrub', { kind: 'damaged', text: 'replicator-3 found 3 damaged files.' })
    }
    if (name === 'needs-recovery') {
      this.needsRecovery = true
      this.tell('view', { kind: 'unsure', text: 'The coordinator is not sure of its log.' })
    }
    if (name === 'coordinator-down') {
      this.staleSince = now
      this.tell('link', { kind: 'lost', text: 'The link to the coordinator was lost.' })
    }
  }

  state(books, modified) {
    const inSync = this.members.filter(({ state }) => state === 'in_sync').length
    const accepting =
      inSync === this.members.length && this.staleSince === null && !this.needsRecovery
    return {
      epoch: this.epoch,
      version: this.version,
      root: 'a3f1'.repeat(16),
      min_in_sync: 2,
      commit_policy: 'all',
      accepting_writes: accepting,
      why_not: accepting
        ? null
        : this.staleSince
          ? 'The coordinator cannot be reached.'
          : this.needsRecovery
            ? NEEDS_RECOVERY
            : 'replicator-3 is down, and every replicator must vote while the commit policy is "all".',
      members: this.members,
      coordinator: {
        connected: !this.staleSince,
        since: this.staleSince ?? this.startedAt,
        address: 'ws://127.0.0.1:7410',
      },
      app_server: { id: 'app-server-1', version: this.version, level: true, books, modified },
      app_servers: [{ id: 'app-server-1', address: null, connected: !this.staleSince }],
      lab: false,
    }
  }

  /** What every member found when it read its files; the third one of `damaged` names what it found. */
  scrubs() {
    const items = this.members.map(({ id, connected, scrub }) => ({
      member: id,
      connected,
      last: scrub && { ...scrub, findings: findingsOf(scrub) },
      running: null,
    }))
    return { items, next: null, total: items.length }
  }

  startedAt = new Date().toISOString()
}

function findingsOf({ damaged, stale }) {
  const name = (place) => `books/0${place}/019b76da-a800-7000-8000-00000000000${place}.xml`
  return [
    ...Array.from({ length: damaged }, (_, place) => ({
      name: name(place),
      outcome: 'damaged',
      detail: 'the bytes are not what was committed',
    })),
    ...Array.from({ length: stale }, (_, place) => ({
      name: name(9 - place),
      outcome: 'stale',
      detail: 'the bytes of an older version',
    })),
  ]
}

/** A full pass over the files of a member. */
function scrubbed(found = {}) {
  const now = new Date().toISOString()
  return {
    started_at: now,
    finished_at: now,
    files: 10_240,
    bytes: 9_400_000,
    clean: 10_240,
    damaged: 0,
    stale: 0,
    changing: 0,
    unknown: 0,
    extra: 0,
    detail: null,
    ...found,
  }
}
