import type { ResponseCache } from '../model/egress-service.ts'
import type { CacheUse, PlacedLive } from '../model/exchange.ts'
import { Fault, type FaultCode } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { Fields, Outbound } from '../model/wire.ts'
import type { MetricName } from '../observe/metrics.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { conditional, isNotModified } from './cache/conditional.ts'
import { directives } from './cache/directives.ts'
import { buildJudge, confirmed, type Freshness } from './cache/freshness.ts'
import { keep } from './cache/keep.ts'
import { CacheStore } from './cache/store.ts'
import { type Identity, vendorFields } from './credential.ts'

/** Answers a call that is placed from what is stored, or with `fetch`. @throws what `fetch` throws, and Fault `credential_unavailable`, `unauthenticated` */
export type Cache = (x: PlacedLive, fetch: (x: PlacedLive) => Promise<Outbound>) => Promise<Outbound>

/** An answer as its caller got it: masked, and without what the gateway says of the call. */
interface Stored {
  readonly status: number
  readonly fields: Fields
  readonly body: Uint8Array | undefined
  readonly freshness: Freshness
}

type Stores = Map<string, CacheStore<Stored>>

const names = { calls: 'sallyport_egress_cache_total', bytes: 'sallyport_egress_cache_bytes' } as const satisfies Record<string, MetricName>

/** RFC 9110 section 9.2.1: these change nothing at the vendor. */
const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** The vendor is in trouble, or cannot be asked: what may bridge that does. Never a credential that is missing. */
const troubles: ReadonlySet<FaultCode> = new Set([
  'upstream_unavailable',
  'upstream_reset',
  'upstream_protocol',
  'deadline_exceeded',
  'circuit_open',
  'vendor_paused',
  'overloaded',
])

/**
 * Builds the room that stores answers of vendors (RFC 9111), for services that ask for it. It stands before the credential: an answer that is stored costs no token, no
 * quota and no try. What is stored is what the caller got, masks and all, and nobody else gets it: its key is made of service, environment, target and
 * rules, the credential with its secrets, the caller, the URL, and every header that the vendor gets, whether it says `Vary` or not.
 */
export function buildCache(policy: Policy, identity: Identity, ports: Pick<Ports, 'clock' | 'digest' | 'lasting' | 'meter'>): Cache {
  const { clock, digest, meter } = ports
  const stores = ports.lasting('egress.caches', (): Stores => new Map())
  const judge = buildJudge(clock)
  openStores(stores, policy)
  const rules = new WeakMap<object, string>()

  /** Whatever the policies say of this service and target: another word, another store. */
  function rulesOf({ service, target }: PlacedLive): string {
    const known = rules.get(target)
    if (known !== undefined) return known
    const text = JSON.stringify([service, target])
    rules.set(target, text)
    return text
  }

  async function keyOf(x: PlacedLive, resource: string, fields: Fields): Promise<string> {
    const said = fields.entries().filter(([name]) => !neutral.has(name))
    return digest(JSON.stringify([resource, rulesOf(x), await identity(x), x.caller, said.toSorted(byName)]))
  }

  function note(x: PlacedLive, cached: CacheUse): void {
    Object.assign(x, { cached })
    meter.count(names.calls, { service: x.service.name, environment: x.target.environment, outcome: cached })
  }

  return async function cache(x, fetch) {
    const { cache: use } = x.service
    const store = stores.get(x.service.name)
    if (use === undefined || store === undefined || x.target.record !== undefined) return fetch(x)
    const resource = resourceOf(x, x.target.origin, x.target.basePath + x.request.target.path, x.request.target.query)
    const { method } = x.request
    if (!safe.has(method)) return changing(x, fetch, store, resource)
    const fields = vendorFields(x)
    if (!isCacheable(x)) {
      note(x, 'bypass')
      return told(await fetch(x), `fwd=${method === 'GET' || method === 'HEAD' ? 'bypass' : 'method'}`)
    }
    const key = await keyOf(x, resource, fields)
    const stored = store.get(key)
    if (stored?.freshness.fits(fields) === true) {
      note(x, 'hit')
      return fromStore(x, stored, `hit; ttl=${stored.freshness.ttl()}`)
    }
    return ask({ x, fetch, store, use, key, resource, fields, stored })
  }

  async function ask(asking: Asking): Promise<Outbound> {
    const { x, fetch, store, key, fields, stored } = asking
    const own = stored === undefined || x.request.method !== 'GET' || conditional(x.request.headers) ? [] : stored.freshness.conditions(fields)
    const holds = store.moment(asking.resource)
    const why =
      stored === undefined ? 'uri-miss' : stored.freshness.ttl() <= 0 ? 'stale' : directives(fields.all('cache-control')).size > 0 ? 'request' : 'vary-miss'
    const answer = await withFields(x, own, fetch).catch((error: unknown) => bridge(asking, Fault.from(error)))
    if (x.cached === 'stale') return answer
    if (stored !== undefined && bridged.has(answer.status) && stored.freshness.bridgesErrors()) {
      letGo(answer.body)
      return stale(asking, stored)
    }
    if (answer.status === 304 && own.length > 0 && stored !== undefined) {
      if (stored.freshness.isConfirmedBy(answer.headers)) return renewed(asking, stored, answer, holds)
      // Whatever it is that was not modified, it is not what is stored here.
      store.delete(key)
      return ask({ ...asking, stored: undefined })
    }
    note(x, 'miss')
    return told(
      stores.get(x.service.name) === store ? put(asking, answer, holds) : answer,
      `fwd=${why}${why === 'uri-miss' ? '' : `; fwd-status=${answer.status}`}`,
    )
  }

  function put({ x, store, use, key, resource, fields, stored }: Asking, answer: Outbound, holds: () => boolean): Outbound {
    if (x.request.method !== 'GET') return answer
    // What was stored is out of date, unless this is only a failure.
    if (stored !== undefined && answer.status < 500 && answer.status !== 304) store.delete(key)
    const kept = plain(answer.headers)
    const freshness = judge(fields, answer.status, kept)
    if (freshness === undefined) return answer
    return keep(answer, use.entryBytes, (body) => {
      if (!holds()) return
      store.set(key, resource, { status: answer.status, fields: kept, body, freshness }, (body?.length ?? 0) + sizeOf(kept))
      meter.gauge(names.bytes, store.bytes, { service: x.service.name })
    })
  }

  /** The stored answer, which the vendor says still holds. */
  function renewed({ x, store, key, resource, fields }: Asking, stored: Stored, answer: Outbound, holds: () => boolean): Outbound {
    const merged = confirmed(stored.fields, plain(answer.headers))
    const freshness = judge(fields, stored.status, merged)
    if (freshness === undefined) store.delete(key)
    else if (holds()) store.set(key, resource, { ...stored, fields: merged, freshness }, (stored.body?.length ?? 0) + sizeOf(merged))
    note(x, 'revalidated')
    return fromStore(x, { ...stored, fields: merged, freshness: freshness ?? stored.freshness }, 'fwd=stale; fwd-status=304')
  }

  function bridge(asking: Asking, fault: Fault): Outbound {
    const { x, stored } = asking
    if (stored === undefined || x.lifeline.ended !== undefined || !troubles.has(fault.code) || !stored.freshness.bridgesErrors()) throw fault
    return stale(asking, stored)
  }

  function stale({ x }: Asking, stored: Stored): Outbound {
    note(x, 'stale')
    return fromStore(x, stored, `hit; ttl=${stored.freshness.ttl()}; detail=stale-if-error`)
  }

  /** RFC 9111 section 4.4, and for a failure too: what was asked for may have been done. */
  async function changing(x: PlacedLive, fetch: (x: PlacedLive) => Promise<Outbound>, store: CacheStore<Stored>, resource: string): Promise<Outbound> {
    let answer: Outbound | undefined
    try {
      answer = await fetch(x)
      return told(answer, 'fwd=method')
    } finally {
      if (answer === undefined || answer.status < 400 || answer.status >= 500) {
        store.forget(resource)
        for (const name of ['location', 'content-location']) {
          const other = answer === undefined ? undefined : sameOrigin(x, answer.headers.get(name))
          if (other !== undefined) store.forget(other)
        }
        meter.gauge(names.bytes, store.bytes, { service: x.service.name })
      }
    }
  }
}

interface Asking {
  readonly x: PlacedLive
  readonly fetch: (x: PlacedLive) => Promise<Outbound>
  readonly store: CacheStore<Stored>
  readonly use: ResponseCache
  readonly key: string
  readonly resource: string
  /** What the vendor gets of the caller's headers. */
  readonly fields: Fields
  readonly stored: Stored | undefined
}

/** What says how to answer and not what about. `user-agent`: where the vendor makes a difference by it, it says `Vary`. */
const neutral: ReadonlySet<string> = new Set(['user-agent', 'cache-control', 'pragma', 'if-none-match', 'if-modified-since'])

/** RFC 5861 section 4. */
const bridged: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** Stores of services that have one, as large as they say. Lasting: what is stored outlives a reload that says nothing else of its service. */
function openStores(stores: Stores, policy: Policy): void {
  const wanted = new Map(Object.values(policy.egress).flatMap(({ service }) => (service.cache === undefined ? [] : [[service.name, service.cache] as const])))
  for (const name of Array.from(stores.keys())) if (!wanted.has(name)) stores.delete(name)
  for (const [name, { bytes }] of wanted) {
    const store = stores.get(name) ?? new CacheStore<Stored>(bytes)
    store.limit(bytes)
    stores.set(name, store)
  }
}

function isCacheable({ request }: PlacedLive): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false
  if (request.body !== undefined || directives(request.headers.all('cache-control')).has('no-store')) return false
  return !['range', 'if-range', 'if-match', 'if-unmodified-since'].some((name) => request.headers.has(name))
}

function resourceOf({ service, target }: PlacedLive, origin: string, path: string, query: string): string {
  return JSON.stringify([service.name, target.environment, origin, path, query])
}

/** The resource that a Location names, where it is of this target. */
function sameOrigin(x: PlacedLive, location: string | undefined): string | undefined {
  if (location === undefined) return undefined
  const base = x.target.origin + x.target.basePath + x.request.target.path
  const url = URL.canParse(location, base) ? new URL(location, base) : undefined
  return url?.origin === new URL(x.target.origin).origin ? resourceOf(x, x.target.origin, url.pathname, url.search.slice(1)) : undefined
}

/** Fetches with these fields in the request, which is as it was afterwards. */
async function withFields(x: PlacedLive, fields: readonly (readonly [string, string])[], fetch: Asking['fetch']): Promise<Outbound> {
  if (fields.length === 0) return fetch(x)
  const { request } = x
  const headers = new FieldList(request.headers.entries())
  for (const [name, value] of fields) headers.set(name, value)
  try {
    return await fetch(Object.assign(x, { request: { ...request, headers } }))
  } finally {
    Object.assign(x, { request })
  }
}

function fromStore(x: PlacedLive, { status, fields, body, freshness }: Stored, use: string): Outbound {
  const headers = new FieldList(fields.entries()).set('age', `${freshness.age()}`)
  if (isNotModified(x.request.headers, fields, status)) {
    return told({ status: 304, headers: headers.without((name) => name.startsWith('content-') && name !== 'content-location'), body: undefined }, use)
  }
  if (body !== undefined && status !== 204) headers.set('content-length', `${body.length}`)
  return told({ status, headers, body: x.request.method === 'HEAD' ? undefined : body }, use)
}

/** `Cache-Status` (RFC 9211), after that of caches before this one. */
function told(answer: Outbound, use: string): Outbound {
  return { ...answer, headers: new FieldList(answer.headers.entries()).append('cache-status', `sallyport; ${use}`) }
}

/** Without what the gateway says of this one call. */
function plain(fields: Fields): FieldList {
  return new FieldList(fields.entries()).without((name) => name.startsWith('x-egress-'))
}

function sizeOf(fields: Fields): number {
  return fields.entries().reduce((sum, [name, value]) => sum + 2 * (name.length + value.length), 0)
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function letGo(body: Outbound['body']): void {
  if (body === undefined || body instanceof Uint8Array) return
  const ended = body[Symbol.asyncIterator]().return?.()
  // Whether it ends well no longer matters to this request.
  ended?.catch(() => {})
}
