import { createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { AssumedToken } from '../../../core/ingress/identify.ts'
import type { Arrival } from '../../../core/model/exchange.ts'
import type { Policy } from '../../../core/policy/policy.ts'
import type { Ports, Shared } from '../../../core/ports.ts'
import { buildRehearse, type Credentials, type Rehearsal } from '../../../core/rehearse.ts'
import { createFetch } from '../../fetch.ts'
import { createOfflinePorts } from '../../offline-ports.ts'
import { createRedisShared, type RedisShared } from '../../redis-shared.ts'
import { rehearsedArrival } from '../../rehearsed-arrival.ts'
import { createResolve } from '../../resolve.ts'
import { createSecrets } from '../../secrets.ts'
import { type Arguments, type Command, exit, policyOptions, UsageError } from '../command.ts'
import { explanationOf, explanationText } from '../explanation.ts'
import { loadSound, placeOf } from '../load.ts'

export const explain: Command = {
  name: 'explain',
  summary: 'Walk one request through the gateway without sending it: route, identity, each rule, limits, destination.',
  usage: 'METHOD URL',
  options: [
    ...policyOptions,
    { name: 'header', value: '"NAME: VALUE"', multiple: true, text: 'a header of the request (repeat)' },
    { name: 'token', value: 'TOKEN', text: 'a bearer token; its issuer is asked for its keys, or about the token' },
    { name: 'claims', value: 'JSON', text: 'take these claims at their word instead of a token' },
    { name: 'issuer', value: 'NAME', text: 'the issuer of --claims (default: the only one)' },
    { name: 'api-key', value: 'SET', text: 'take --claims for what a key of this set says: sub is its owner, scope, client_id' },
    { name: 'data', value: 'JSON', text: 'the body' },
    { name: 'certificate', value: 'FILE', text: 'the client certificate of the connection, PEM; taken as verified' },
    { name: 'client', value: 'ADDRESS', text: 'the address it comes from (default: 127.0.0.1)' },
  ],
  examples: [
    'sallyport explain GET http://api.shop.example/v1/orders/7 --env dev',
    `sallyport explain GET http://api.shop.example/v1/orders/7 --env dev --claims '{"sub":"ada","scope":"orders:read"}'`,
  ],
  async run(args, terminal) {
    const place = placeOf(args)
    const arrival = arrivalOf(args, await certificateOf(args))
    const sound = await loadSound(place, terminal)
    if (sound === undefined) return exit.findings
    const credentials = credentialsOf(args, sound.policy)
    const rehearsal = await terminal.progress('Walking', walk(sound.policy, arrival, credentials))
    const explanation = explanationOf(sound.policy, arrival, rehearsal)
    terminal.out(terminal.json ? JSON.stringify(explanation, null, 2) : explanationText(explanation, terminal))
    return rehearsal.refusal === undefined ? exit.ok : exit.findings
  },
}

async function walk(policy: Policy, arrival: Arrival, credentials: Credentials): Promise<Rehearsal> {
  const store = credentials.kind === 'own' ? await openStore(policy) : undefined
  const rehearse = buildRehearse(policy, ports(store))
  try {
    return await rehearse(arrival, credentials)
  } finally {
    rehearse.close()
    await store?.close()
  }
}

/**
 * Offline but for the issuer, whose keys or word a real token needs, and for files and the store, where real API keys are. The secret to ask
 * an issuer with is read from where it stands.
 */
function ports(store: Shared | undefined): Ports {
  const offline = createOfflinePorts()
  const resolve = createResolve(offline.clock)
  // Read alone: a proof that is rehearsed is not used up.
  const shared: Shared = store === undefined ? offline.shared : { ...offline.shared, get: (key) => store.get(key) }
  return {
    ...offline,
    resolve,
    fetch: createFetch({ ...offline, resolve }),
    digest: (text) => createHash('sha256').update(text).digest('hex'),
    secrets: createSecrets(process.env),
    shared,
  }
}

/** The shared store, where API keys or revocations are kept in it. */
async function openStore(policy: Policy): Promise<RedisShared | undefined> {
  const wanted =
    Object.values(policy.apiKeys).some(({ store }) => store.kind === 'redis') ||
    Object.values(policy.issuers).some(({ revocation }) => revocation !== undefined)
  const named = policy.store.redis
  if (!wanted || named === undefined) return undefined
  const url = process.env['REDIS_URL'] ?? (await createSecrets(process.env).read(named).catch(refused))
  const store = createRedisShared(url)
  await store.ready(1000)
  return store
}

function refused(error: unknown): never {
  throw new UsageError(`the keys and revocations are in the store of the policies: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

async function certificateOf(args: Arguments): Promise<Uint8Array | undefined> {
  const file = args.values['certificate']
  if (file === undefined) return undefined
  try {
    return new X509Certificate(await readFile(file)).raw
  } catch (error) {
    throw new UsageError(`--certificate: ${file} holds no certificate`, { cause: error })
  }
}

function arrivalOf(args: Arguments, certificate: Uint8Array | undefined): Arrival {
  const [method, address] = args.positionals
  const parts = /^(https?):\/\/([^/?#]+)(\/[^#]*)?$/.exec(address ?? '')
  if (method === undefined || parts === null) throw new UsageError('say which request: METHOD URL, such as GET http://api.example.com/v1/orders/7')
  const headers = (args.lists['header'] ?? []).flatMap((line) => {
    const colon = line.indexOf(':')
    if (colon < 1) throw new UsageError(`"${line}" is not a header: write "name: value"`)
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
  })
  const token = args.values['token']
  return rehearsedArrival({
    method: method.toUpperCase(),
    scheme: parts[1] as 'http' | 'https', // the pattern above takes nothing else
    host: parts[2] ?? '',
    target: parts[3] ?? '/',
    headers: token === undefined ? headers : [...headers, 'authorization', `Bearer ${token}`],
    json: args.values['data'],
    client: args.values['client'] ?? '127.0.0.1',
    certificate,
  })
}

function credentialsOf(args: Arguments, { issuers: known, apiKeys }: Policy): Credentials {
  const issuers = Object.keys(known)
  const text = args.values['claims']
  const set = args.values['api-key']
  if (set !== undefined && apiKeys[set] === undefined) throw new UsageError(`--api-key ${set}: the sets are ${Object.keys(apiKeys).join(', ') || 'none'}`)
  if (text === undefined && set !== undefined) throw new UsageError('--api-key wants --claims, such as {"sub":"acme","scope":"orders:read"}')
  if (text === undefined) return { kind: 'own' }
  if (args.values['token'] !== undefined) throw new UsageError('--token and --claims: give one of them')
  if (set !== undefined) return { kind: 'assumed', token: keyFrom(set, readClaims(text)) }
  const issuer = args.values['issuer'] ?? (issuers.length === 1 ? issuers[0] : undefined)
  if (issuer === undefined) throw new UsageError(`say whose claims these are: --issuer ${issuers.join('|')}`)
  return { kind: 'assumed', token: { issuer, claims: readClaims(text) } }
}

function keyFrom(apiKey: string, { sub, client_id: client, scope = '', ...claims }: Readonly<Record<string, unknown>>): AssumedToken {
  if (typeof sub !== 'string' || typeof scope !== 'string') throw new UsageError('--claims of a key: sub is its owner, scope its scopes with blanks between')
  return { apiKey, owner: sub, clientId: typeof client === 'string' ? client : undefined, scopes: scope.split(' ').filter((one) => one !== ''), claims }
}

function readClaims(text: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(text)
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Readonly<Record<string, unknown>>
  } catch (error) {
    throw new UsageError('--claims is not JSON', { cause: error })
  }
  throw new UsageError('--claims is not a JSON object')
}
