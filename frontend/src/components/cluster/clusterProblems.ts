/**
 * What is wrong with a cluster, in the order in which it matters, and what the documents say can be done about it. A pure
 * function of what the server answers; the words are `advice.<kind>…` of the languages.
 */
import type { Cluster, Member } from '@/api/types'

export type ProblemKind =
  | 'needs_help'
  | 'unreachable'
  | 'too_few'
  | 'not_accepting'
  | 'down'
  | 'damaged'
  | 'in_doubt'
  | 'not_compared'
  | 'behind'
  | 'catching_up'

/** One thing to do: the message that says it, and the command that does it. */
export interface Step {
  say: string
  command?: string
}

export interface ClusterProblem {
  kind: ProblemKind
  tone: 'bad' | 'warn'
  /** What the words are about: a member, or nothing. */
  member: Member | null
  /** Members with how many files each. */
  files: { member: string; count: number }[]
  /** The server's own reason, in English. */
  reason: string | null
  /** In sync, and needed for a write. */
  inSync: number
  needed: number
  steps: Step[]
}

/** Where the commands look if they are not told. */
const USUAL_SERVER = 'http://127.0.0.1:7400'
const USUAL_COORDINATOR = 'http://127.0.0.1:7410'
/** As the documents write it. */
const UNKNOWN_ADDRESS = 'ws://HOST:7410'

export function problemsOf(cluster: Cluster): ClusterProblem[] {
  const found = cluster.coordinator.connected ? problemsNow(cluster) : problemsWithout(cluster)
  // Stable: within a tone the order is that in which they were found.
  return found.sort((one, other) => Number(one.tone === 'warn') - Number(other.tone === 'warn'))
}

/** Files that a restore would put right, as the last full passes found them; null if nobody has made one. */
export function damagedFiles(cluster: Cluster): number | null {
  const passes = cluster.members.flatMap(({ scrub }) => (scrub ? [scrub] : []))
  if (passes.length === 0) return null
  return passes.reduce((sum, { damaged, stale, extra }) => sum + damaged + stale + extra, 0)
}

/** The rounds that somebody is in doubt about, each once. */
export function roundsInDoubt({ members }: Cluster): number {
  const doubters = members.filter((member) => member.in_doubt_since !== null)
  return new Set(doubters.map((member) => member.in_doubt_round ?? member.id)).size
}

function problemsNow(cluster: Cluster): ClusterProblem[] {
  const { members, app_server: server } = cluster
  const isAway = ({ state }: Member) => state === 'down'
  return [
    ...whyNoWrites(cluster),
    ...members.filter(isAway).map((member) => down(cluster, member)),
    ...filesOf('damaged', cluster),
    ...doubts(cluster),
    ...filesOf('not_compared', cluster),
    ...(server.level ? [] : [problem('behind', 'warn', { steps: [{ say: 'wait' }] })]),
    ...members
      .filter(({ state }) => state === 'catching_up')
      .map((member) => problem('catching_up', 'warn', { member, steps: [{ say: 'wait' }] })),
  ]
}

/** Nobody tells how the members are now; what was found on disks is there all the same. */
function problemsWithout(cluster: Cluster): ClusterProblem[] {
  const voters = cluster.members.filter(({ role }) => role === 'voter').map(({ id }) => id)
  const unreachable = problem('unreachable', 'bad', {
    reason: cluster.why_not,
    steps: [
      {
        say: 'startCoordinator',
        ...(voters.length ? { command: `coordinator --members ${voters.join(',')}` } : {}),
      },
      { say: 'lostDisk', command: recover(cluster) },
    ],
  })
  const first = asksForHelp(cluster) ? needsHelp(cluster) : unreachable
  return [first, ...filesOf('damaged', cluster), ...doubts(cluster)]
}

/** A coordinator that cannot go on by itself names the command in its reason. */
function asksForHelp({ why_not }: Cluster): boolean {
  return why_not?.includes('concordance recover') ?? false
}

function needsHelp(cluster: Cluster): ClusterProblem {
  const steps = [{ say: 'bringBack' }, { say: 'recover', command: recover(cluster) }]
  return problem('needs_help', 'bad', { reason: cluster.why_not, steps })
}

function whyNoWrites(cluster: Cluster): ClusterProblem[] {
  if (cluster.accepting_writes || cluster.why_not === null) return []
  if (asksForHelp(cluster)) return [needsHelp(cluster)]
  const voters = cluster.members.filter(({ role }) => role === 'voter')
  const inSync = voters.filter(({ state }) => state === 'in_sync').length
  const needed = cluster.commit_policy === 'all' ? voters.length : (cluster.min_in_sync ?? 0)
  const reason = cluster.why_not
  return inSync < needed
    ? [problem('too_few', 'bad', { inSync, needed, reason, steps: [{ say: 'bringMembersBack' }] })]
    : [problem('not_accepting', 'bad', { reason, steps: [{ say: 'waitForReason' }] })]
}

function down(cluster: Cluster, member: Member): ClusterProblem {
  const coordinator = socketOf(cluster.coordinator.address)
  return problem('down', member.role === 'voter' ? 'bad' : 'warn', {
    member,
    reason: member.detail,
    steps: [
      {
        say: 'startReplicator',
        command: `replicator --id ${member.id} --coordinator ${coordinator}`,
      },
      { say: 'removeReplicator', command: concordance(cluster, `member remove ${member.id}`) },
    ],
  })
}

function doubts(cluster: Cluster): ClusterProblem[] {
  return cluster.members
    .filter((member) => member.in_doubt_since !== null)
    .map((member) =>
      problem('in_doubt', 'warn', {
        member,
        steps: [
          { say: 'leaveAlone' },
          { say: 'seeOthers', command: concordance(cluster, 'rounds --in-doubt') },
        ],
      }),
    )
}

/** What was not compared is only told where nothing worse was found. */
function filesOf(kind: 'damaged' | 'not_compared', cluster: Cluster): ClusterProblem[] {
  const files = cluster.members.flatMap(({ id, scrub }) => {
    if (!scrub) return []
    const damaged = scrub.damaged + scrub.stale + scrub.extra
    const uncompared = damaged ? 0 : scrub.unknown + scrub.changing
    const count = kind === 'damaged' ? damaged : uncompared
    return count ? [{ member: id, count }] : []
  })
  if (files.length === 0) return []
  if (kind === 'not_compared') {
    const steps = [{ say: 'scrub', command: concordance(cluster, 'scrub') }]
    return [problem(kind, 'warn', { files, steps })]
  }
  // The coordinator leads restores.
  const steps = cluster.coordinator.connected
    ? [
        { say: 'dryRun', command: concordance(cluster, 'restore --dry-run') },
        { say: 'restore', command: concordance(cluster, 'restore') },
      ]
    : [{ say: 'coordinatorFirst' }]
  return [problem(kind, 'bad', { files, steps })]
}

function problem(
  kind: ProblemKind,
  tone: ClusterProblem['tone'],
  more: Partial<ClusterProblem>,
): ClusterProblem {
  return {
    kind,
    tone,
    member: null,
    files: [],
    reason: null,
    inSync: 0,
    needed: 0,
    steps: [],
    ...more,
  }
}

/** A command for this server; its address is left out where the command looks by itself. */
function concordance({ app_server, app_servers }: Cluster, command: string): string {
  const address = app_servers.find(({ id }) => id === app_server.id)?.address
  const isUsual = !address || address.replace(/\/$/, '') === USUAL_SERVER
  return `concordance ${command}${isUsual ? '' : ` --server ${address}`}`
}

function recover({ coordinator }: Cluster): string {
  const address = socketOf(coordinator.address).replace(/^ws/, 'http')
  const isUsual = coordinator.address === null || address === USUAL_COORDINATOR
  return `concordance recover${isUsual ? '' : ` --coordinator ${address}`}`
}

/** Where replicators dial: the address without the path that this server dialled. */
function socketOf(address: string | null): string {
  return /^wss?:\/\/[^/]+/.exec(address ?? '')?.[0] ?? UNKNOWN_ADDRESS
}
