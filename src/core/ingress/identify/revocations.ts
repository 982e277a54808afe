import { Fault } from '../../model/fault.ts'
import type { Subject } from '../../model/principal.ts'
import { indexRevocations, type Revocation, type RevocationIndex, readRevocations } from '../../model/revocation.ts'
import type { RevocationRules } from '../../policy/linked/issuers.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import { tokenInvalid } from './answers.ts'
import type { IdentifyPorts } from './ports.ts'
import type { Proved } from './requirement.ts'
import { parseStrictJson } from './strict-json.ts'
import { Watched } from './watched.ts'

/** What was taken back of one issuer's tokens, as it stood at one moment. */
export interface RevocationState {
  /** Another one after every revocation: what was concluded under one generation (an introspection, say) ends with it. */
  readonly generation: string
  readonly index: RevocationIndex
}

/** Looks up one issuer's revocations. Throws, or rejects, when they are not known. */
export interface Revocations {
  now(): RevocationState | Promise<RevocationState>
}

/** More than this and each replica would be kept busy with the list. */
export const revocationLimit = 10_000

const none: RevocationState = { generation: '', index: indexRevocations([]) }
const lockMs = 5000

const listKey = (issuer: string) => `identify.revocations:${issuer}`
const generationKey = (issuer: string) => `identify.revocationGeneration:${issuer}`
const lockKey = (issuer: string) => `identify.revocationLock:${issuer}`

/**
 * The revocations of an issuer of the policies, kept in this process and looked at again as its rules say. Two small questions to the store in
 * each `refresh` at most: the list itself is fetched only when its generation is another one.
 */
export function revocationsOf(issuer: string, rules: RevocationRules, ports: Pick<IdentifyPorts, 'clock' | 'lasting' | 'meter' | 'shared'>): Revocations {
  const kept = ports.lasting('identify.revocations', () => new Map<string, Revocations>())
  // Bounded by the policies' names, and by how often their rules change.
  const key = JSON.stringify([issuer, rules.refreshMs, rules.staleForMs])
  const known = kept.get(key)
  if (known !== undefined) return known
  const opened = open(issuer, rules, ports)
  kept.set(key, opened)
  return opened
}

function open(issuer: string, rules: RevocationRules, { clock, meter, shared }: Pick<IdentifyPorts, 'clock' | 'meter' | 'shared'>): Revocations {
  let last = none
  const look = async (): Promise<RevocationState> => {
    const generation = await shared.get(generationKey(issuer))
    if (generation === undefined) last = none
    else if (generation !== last.generation) last = { generation, index: indexRevocations(readList(await shared.get(listKey(issuer)))) }
    meter.gauge('sallyport_revocations', last.index.size, { issuer })
    return last
  }
  const counted = async () => {
    try {
      const state = await look()
      meter.count('sallyport_revocation_reads_total', { issuer, outcome: 'good' })
      return state
    } catch (error) {
      meter.count('sallyport_revocation_reads_total', { issuer, outcome: 'failed' })
      throw error
    }
  }
  const watched = new Watched(counted, rules, clock)
  return { now: () => watched.read() }
}

function readList(text: string | undefined): readonly Revocation[] {
  return text === undefined ? [] : readRevocations(parseStrictJson(text, 8))
}

/**
 * Adds to what replicas know of an issuer's revocations; entries whose tokens are all over are dropped. Seen by every replica within its
 * `refresh`. @throws Error when the store does not answer, somebody else is writing, or the list is full.
 */
export async function addRevocations(issuer: string, fresh: readonly Revocation[], ports: Pick<Ports, 'clock' | 'random' | 'shared'>): Promise<void> {
  const { clock, random, shared } = ports
  if (!(await shared.claim(lockKey(issuer), lockMs))) throw new Error('somebody else is writing the revocation list; try again in a moment')
  try {
    const now = Math.floor(clock.now() / 1000)
    const list = merged([...readList(await shared.get(listKey(issuer))), ...fresh].filter(({ until }) => until > now))
    if (list.length > revocationLimit) throw new Error(`there are more than ${revocationLimit} revocations: take back a subject or a client as a whole`)
    const ttlMs = Math.max(1000, ...list.map(({ until }) => (until - now) * 1000))
    // The list first: who sees the new generation must find the new list.
    await shared.set(listKey(issuer), JSON.stringify(list), ttlMs)
    await shared.set(generationKey(issuer), random.uuid(), ttlMs)
  } finally {
    await shared.delete(lockKey(issuer))
  }
}

/** What is taken back of an issuer's tokens, as the store has it. */
export async function listRevocations(issuer: string, { shared }: Pick<Ports, 'shared'>): Promise<readonly Revocation[]> {
  return readList(await shared.get(listKey(issuer)))
}

/** One entry for each token, subject and client, the farthest reaching. */
function merged(list: readonly Revocation[]): readonly Revocation[] {
  const byValue = new Map<string, Revocation>()
  for (const one of list) {
    const key = `${one.kind}:${one.value}`
    const other = byValue.get(key)
    byValue.set(key, other === undefined ? one : { ...one, before: Math.max(one.before, other.before), until: Math.max(one.until, other.until) })
  }
  return [...byValue.values()]
}

type Proofs = readonly Proved[]

/**
 * Builds the look at the revocation lists that every request with a token gets, after all that is remembered of tokens. Without waiting
 * where the lists are fresh. Throws, or rejects with, Fault `token_invalid`, `revocations_unavailable`.
 */
export function buildNotRevoked(policy: Policy, ports: IdentifyPorts): (proofs: Proofs) => Proofs | Promise<Proofs> {
  const lists = new Map<string, { readonly rules: RevocationRules; readonly list: Revocations }>()
  for (const { name, revocation } of Object.values(policy.issuers))
    if (revocation !== undefined) lists.set(name, { rules: revocation, list: revocationsOf(name, revocation, ports) })
  if (lists.size === 0) return (proofs) => proofs

  const check = (subject: Subject): Promise<void> | undefined => {
    const found = subject.by === 'jwt' || subject.by === 'introspection' ? lists.get(subject.issuer) : undefined
    if (found === undefined) return undefined
    try {
      const state = found.list.now()
      if (!(state instanceof Promise)) return judge(subject, state)
      return state.then(
        (known) => judge(subject, known),
        (reason: unknown) => unknownIs(found.rules, reason),
      )
    } catch (error) {
      if (error instanceof Fault) throw error
      return unknownIs(found.rules, error)
    }
  }

  return (proofs) => {
    const pending = proofs.map(({ subject }) => check(subject)).filter((each) => each !== undefined)
    return pending.length === 0 ? proofs : Promise.all(pending).then(() => proofs)
  }
}

function judge(subject: Subject, { index }: RevocationState): undefined {
  const reason = index.reasonFor(subject)
  if (reason !== undefined) throw tokenInvalid(reason)
}

function unknownIs({ onStoreFailure }: RevocationRules, reason: unknown): undefined {
  if (onStoreFailure === 'pass') return
  throw new Fault('revocations_unavailable', 'whether the access token was revoked cannot be told now', {
    headers: [['retry-after', '1']],
    internal: reason instanceof Error ? reason.message : 'the store of revocations does not answer',
  })
}
