import { readApiKey } from '../../model/api-key.ts'
import { type ApiKeyRecord, apiKeyObstacle } from '../../model/api-key-record.ts'
import { challenge } from '../../model/challenge.ts'
import type { Matched } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { Subject } from '../../model/principal.ts'
import type { RequirementLeaf } from '../../policy/linked/access.ts'
import type { ApiKeySet } from '../../policy/linked/api-keys.ts'
import type { Policy } from '../../policy/policy.ts'
import { ApiKeySets, type ApiKeyShare } from './api-keys/sets.ts'
import type { Check, Credential } from './credential.ts'
import type { IdentifyPorts } from './ports.ts'
import type { Proved } from './requirement.ts'

export const apiKeyChallenge = challenge('ApiKey')

interface Verifier {
  readonly set: ApiKeySet
  readonly share: ApiKeyShare
}

/** API keys in a header of their own, of the sets of the policies. Throws `credential_invalid`, `api_key_invalid`, `key_store_unavailable`. */
export function buildApiKeys(policy: Policy, ports: IdentifyPorts): Credential {
  const sets = ports.lasting('identify.apiKeySets', () => new ApiKeySets(ports))
  const sound = Object.values(policy.apiKeys).filter((set) => set.quarantined === undefined)
  const verifiers = new Map(sound.map((set) => [set.name, { set, share: sets.acquire(set) }]))
  return {
    kinds: ['apiKey'],
    prepare: (leaves) => prepare(leaves, verifiers, ports),
    close() {
      for (const { share } of verifiers.values()) share.release()
    },
  }
}

function prepare(leaves: readonly RequirementLeaf[], all: ReadonlyMap<string, Verifier>, ports: IdentifyPorts): Check {
  const named = [...new Set(leaves.map(({ name }) => name))]
  const verifiers = named.flatMap((name) => all.get(name) ?? [])
  const headers: ReadonlySet<string> = new Set(verifiers.map(({ set }) => set.header))
  return {
    broken: verifiers.length === 0 ? `no usable set of API keys among ${named.join(', ')}` : undefined,
    challenges: [apiKeyChallenge],
    prove(x) {
      const offered = offeredIn(x, headers)
      if (offered === undefined) return undefined
      const read = readApiKey(offered.text)
      if (read.kind !== 'key') throw apiKeyInvalid(read.kind === 'malformed' ? 'no text of an API key' : 'mistyped: its checksum does not fit')
      return verify(
        offered.text,
        read.id,
        verifiers.filter(({ set }) => set.header === offered.header),
        ports,
      )
    },
  }
}

interface Offered {
  readonly header: string
  readonly text: string
}

/** @throws Fault `credential_invalid` for several. A comma joins what came as several lines (RFC 9110 section 5.3), and is in no key. */
function offeredIn(x: Matched, headers: ReadonlySet<string>): Offered | undefined {
  const offered = x.keyFields.filter(([header]) => headers.has(header))
  const [first] = offered
  if (first === undefined) return undefined
  if (offered.length > 1 || first[1].includes(',')) throw new Fault('credential_invalid', 'more than one API key')
  return { header: first[0], text: first[1] }
}

async function verify(text: string, id: string, verifiers: readonly Verifier[], ports: Pick<IdentifyPorts, 'clock' | 'digest'>): Promise<Proved> {
  const hash = await ports.digest(text)
  let unsure: unknown
  for (const { set, share } of verifiers) {
    try {
      const record = await share.find(id)
      if (record === undefined) continue
      judge(record, hash, ports.clock.now())
      return { leaf: { kind: 'apiKey', name: set.name }, subject: subjectOf(set, record) }
    } catch (error) {
      if (error instanceof Fault) throw error
      unsure ??= error
    }
  }
  // "Cannot tell" outweighs "no": the store that did not answer might have said yes.
  if (unsure !== undefined) throw storeUnavailable(unsure)
  throw apiKeyInvalid('no key has this id')
}

/** @throws Fault `api_key_invalid` */
function judge(record: ApiKeyRecord, hash: string, now: number): void {
  if (!sameHash(record.hash, hash)) throw apiKeyInvalid(`not the secret of the key ${record.id}`)
  const obstacle = apiKeyObstacle(record, now)
  if (obstacle !== undefined) throw apiKeyInvalid(`the key ${record.id} is ${obstacle}`)
}

/** Takes the same time wherever two texts of one length differ. */
export function sameHash(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

/** The principal that a key stands for: never more scopes than its set allows. */
export function subjectOf(
  { name, scopes: ceiling }: ApiKeySet,
  record: Pick<ApiKeyRecord, 'owner' | 'clientId' | 'scopes' | 'claims'> & { readonly id: string | undefined },
): Subject {
  const scopes = ceiling === undefined ? record.scopes : record.scopes.filter((scope) => ceiling.includes(scope))
  const own = { sub: record.owner, ...(record.clientId === undefined ? {} : { client_id: record.clientId }), scope: scopes.join(' ') }
  return Object.freeze({
    kind: 'subject',
    by: 'apiKey',
    issuer: name,
    subject: record.owner,
    clientId: record.clientId,
    scopes: new Set(scopes),
    claims: Object.freeze({ ...record.claims, ...own }),
    keyId: record.id,
  })
}

/** 401: one answer for every bad key; the reason goes to the record only. */
export function apiKeyInvalid(reason: string): Fault {
  return new Fault('api_key_invalid', 'the API key is not valid', { headers: [['www-authenticate', apiKeyChallenge]], internal: reason })
}

/** 503: the key may well be good, but its record cannot be read. */
function storeUnavailable(reason: unknown): Fault {
  return new Fault('key_store_unavailable', 'API keys cannot be checked now', {
    headers: [['retry-after', '1']],
    internal: reason instanceof Error ? reason.message : 'the store of API keys does not answer',
  })
}
