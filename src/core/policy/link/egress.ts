import type { EgressService } from '../../model/egress-service.ts'
import type { EgressTarget } from '../../model/egress-target.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { TargetDocument } from '../document/targets.ts'
import type { GuardHost, LinkedEgress } from '../linked/egress.ts'
import type { Listeners } from '../linked/listeners.ts'
import type { EnvironmentClass } from '../policy.ts'
import { parseRate } from '../units.ts'
import { checkEnvironment } from './callers.ts'
import { guardHostsOf, type PlacedTarget } from './guards.ts'
import { type Entry, isSaid, isWhole, type Linking, nameOfPlace, placeIn, refer, refuse, warn } from './linking.ts'
import { linkEgressTls } from './listeners.ts'
import type { Mocks } from './mocks.ts'
import { linkBreaker } from './protect.ts'
import { checkListedOnce, linkProxy, linkProxyTarget } from './proxies.ts'
import { checkRetry, linkRetry } from './retry.ts'
import { checkHttp, linkStreamTarget } from './stream-targets.ts'
import { checkKind, linkStream } from './streams.ts'
import { linkTarget, type TargetPlace } from './targets.ts'
import { addressOf, bytes, ms } from './values.ts'

export interface EgressSurroundings {
  readonly classes: ReadonlyMap<string, EnvironmentClass>
  readonly listeners: Listeners
  readonly mocks: Mocks
}

/** Checks and links the egress services. Quarantine is set later. Targets of the other class are checked and dropped. */
export function linkEgress(
  linking: Linking,
  entries: ReadonlyMap<string, Entry<EgressDocument>>,
  around: EgressSurroundings,
): { readonly services: readonly LinkedEgress[]; readonly guards: readonly GuardHost[] } {
  checkDistinct(linking, entries, around.listeners)
  const live: PlacedTarget[] = []
  const services = Array.from(entries.values(), (entry) => linkService(linking, entry, around, live))
  checkListedOnce(
    linking,
    live.flatMap(({ target, ...where }) => (target.mode === 'proxy' ? [{ ...where, target }] : [])),
    new Map(services.flatMap(({ service }) => (service.host === undefined ? [] : [[service.host, service.name]]))),
  )
  return { services, guards: guardHostsOf(linking, entries, around.classes, live) }
}

function linkService(linking: Linking, entry: Entry<EgressDocument>, around: EgressSurroundings, live: PlacedTarget[]): LinkedEgress {
  const { value = {} } = entry
  if (entry.value !== undefined) checkWays(linking, entry, value)
  if (value.retry !== undefined) checkRetry(linking, entry, undefined, value.retry)
  for (const [i, caller] of (value.callers ?? []).entries()) refer(linking, entry, ['callers', i], 'callers', caller)
  if (value.callers?.length === 0 && isWhole(entry, 'callers'))
    warn(linking, entry, [], { code: 'nobody_calls', message: `No caller may use the service "${entry.name}".`, hint: 'Add callers:.' })
  const service: EgressService = {
    name: entry.name,
    quarantined: undefined,
    listen: value.listen,
    host: value.host,
    callers: value.callers ?? [],
    allow: allowOf(linking, entry, value),
    connectTimeoutMs: ms(value.timeout?.connect ?? ''),
    timeoutMs: ms(value.timeout?.total ?? ''),
    retry: retryOf(value),
    ...quotaOf(linking, entry, value.quota),
    ...cacheOf(linking, entry, value.cache),
    ...(value.idempotency === undefined ? {} : { idempotency: value.idempotency }),
    breaker: linkBreaker(value.breaker),
    mask: value.mask ?? { headers: [], jsonPaths: [], responses: true },
    ...(value.kind === 'tcp' && { stream: linkStream(value) }),
    ...(value.kind === 'proxy' && { proxy: linkProxy(linking, entry, value, around.listeners) }),
  }
  return { service, ...linkEgressTls(value.tls), targets: linkTargets(linking, entry, around, live) }
}

const day = 86_400_000

function quotaOf(linking: Linking, entry: Entry<EgressDocument>, said: EgressDocument['quota']): Pick<EgressService, 'quota'> {
  if (said === undefined) return {}
  const { vendor, cost } = said
  const rate = parseRate(vendor?.rate ?? '')
  if (rate !== undefined && (rate.points === 0 || rate.windowMs < 1_000 || rate.windowMs > day))
    refuse(linking, entry, ['quota', 'vendor', 'rate'], {
      code: 'quota_rate',
      message: 'A quota is at least one call in a window from 1s to 24h.',
      hint: 'Write it like 100/1s; mode: deny lets nobody call.',
    })
  const calls = cost?.monthlyCap === undefined ? undefined : Math.floor(cost.monthlyCap / cost.perCall + 1e-6)
  if (calls === 0)
    refuse(linking, entry, ['quota', 'cost', 'monthlyCap'], {
      code: 'cost_cap_low',
      message: 'The cap does not pay for one call.',
      hint: 'Raise it above perCall.',
    })
  return {
    quota: {
      vendor: rate === undefined || vendor === undefined ? undefined : { ...rate, shareBy: vendor.shareBy },
      cost:
        cost === undefined
          ? undefined
          : { perCall: cost.perCall, currency: cost.currency, calls: calls === undefined ? undefined : Math.min(calls, 1_000_000_000_000) },
      maxRetryAfterMs: ms(said.maxRetryAfter),
      onStoreFailure: said.onStoreFailure,
    },
  }
}

const mostCached = 16 * 1024 ** 3

function cacheOf(linking: Linking, entry: Entry<EgressDocument>, said: EgressDocument['cache']): Pick<EgressService, 'cache'> {
  if (said === undefined) return {}
  const cache = { bytes: bytes(said.maxBytes), entryBytes: bytes(said.maxEntry) }
  if (cache.entryBytes === 0 || cache.entryBytes > cache.bytes || cache.bytes > mostCached)
    refuse(linking, entry, ['cache', cache.bytes > mostCached ? 'maxBytes' : 'maxEntry'], {
      code: 'cache_size',
      message: 'A cache holds at most 16GiB, and an answer in it at least one byte and no more than all of it.',
      hint: 'Write maxBytes: 64MiB, maxEntry: 1MiB.',
    })
  return { cache }
}

/** A key in a header of the vendor's own counts like `Idempotency-Key`. */
function retryOf({ retry, idempotency }: Partial<EgressDocument>): EgressService['retry'] {
  const linked = linkRetry(retry)
  return linked === undefined || idempotency === undefined ? linked : { ...linked, keyHeader: idempotency.header }
}

function checkWays(linking: Linking, entry: Entry<EgressDocument>, value: Partial<EgressDocument>): void {
  checkKind(linking, entry, value)
  if (value.kind !== 'proxy' && !isSaid(entry, ['listen']) && !isSaid(entry, ['host']))
    refuse(linking, entry, [], {
      code: 'way_missing',
      message: 'The service can be reached by neither a port nor a host name.',
      hint: 'Add listen: 127.0.0.1:9101, or host: name.egress.internal.',
    })
  if (value.tls !== undefined && value.kind !== 'tcp' && !isSaid(entry, ['listen']))
    refuse(linking, entry, ['tls'], {
      code: 'listener_missing',
      message: 'The service has no port of its own that could speak TLS.',
      hint: 'Add listen:, or write tls: at listeners.egress.',
      which: 'key',
    })
  if (value.allow?.length === 0 && isSaid(entry, ['allow']) && isWhole(entry, 'allow'))
    refuse(linking, entry, ['allow'], {
      code: 'list_empty',
      message: 'An empty allow-list matches nothing, and yet restricts nothing.',
      hint: 'Leave it out to let every method and path pass, or write mode: deny in its environments.',
      which: 'key',
    })
  if (value.environments !== undefined && Object.keys(value.environments).length === 0 && isWhole(entry, 'environments'))
    refuse(linking, entry, ['environments'], {
      code: 'environments_missing',
      message: 'The service lives in no environment.',
      hint: 'Write at least one, such as dev: { mode: mock, mock: mocks/x.yaml }.',
      which: 'key',
    })
}

function checkDistinct(linking: Linking, entries: ReadonlyMap<string, Entry<EgressDocument>>, listeners: Listeners): void {
  const taken = new Map<string, string>()
  for (const kind of ['public', 'egress', 'admin'] as const) {
    const address = listeners[kind]?.address
    if (address !== undefined && address.port !== 0) taken.set(`listen ${address.host}:${address.port}`, `listeners.${kind}`)
  }
  for (const entry of entries.values()) {
    for (const kind of ['listen', 'host'] as const) {
      const said = entry.value?.[kind]
      if (said === undefined || said.endsWith(':0')) continue
      const { host, port } = addressOf(said)
      const key = kind === 'listen' ? `listen ${host}:${port}` : `host ${said}`
      const other = taken.get(key)
      if (other === undefined) taken.set(key, `egress.${entry.name} (${nameOfPlace(placeIn(entry, [kind]))})`)
      else
        refuse(linking, entry, [kind], {
          code: 'address_repeated',
          message: `${said} is taken by ${other}.`,
          hint: kind === 'listen' ? 'Give it another port.' : 'Give it another name.',
        })
    }
  }
}

function allowOf(linking: Linking, entry: Entry<EgressDocument>, value: Partial<EgressDocument>): EgressService['allow'] {
  const ids = new Set<string>()
  return (value.allow ?? []).map(({ id = '', methods, path, mode }, i) => {
    const name = id === '' ? `allow-${i + 1}` : id
    if (ids.has(name))
      refuse(linking, entry, ['allow', i, ...(id === '' ? [] : ['id'])], {
        code: 'rule_repeated',
        message: `The id "${name}" is given twice.`,
        hint: 'Give each its own.',
      })
    ids.add(name)
    return { id: name, methods, path, ...(mode === 'audit' && { audit: true as const }) }
  })
}

const linkKind = { http: linkHttp, tcp: linkStreamTarget, proxy: linkProxyTarget } as const

function linkHttp(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, place: TargetPlace): EgressTarget | undefined {
  checkHttp(linking, entry, said, place)
  return linkTarget(linking, entry, said, place)
}

/** Those of the class in force; live ones of every class are noted in `live`. */
function linkTargets(
  linking: Linking,
  entry: Entry<EgressDocument>,
  { classes, mocks }: EgressSurroundings,
  live: PlacedTarget[],
): Readonly<Record<string, EgressTarget>> {
  const kept: [string, EgressTarget][] = []
  for (const [environment, target] of Object.entries(entry.value?.environments ?? {})) {
    const path = ['environments', environment]
    if (!checkEnvironment(linking, entry, path, environment, 'key')) continue
    const kind = classes.get(environment)
    const place = { path, environment, kind, mocks }
    const linked = linkKind[entry.value?.kind ?? 'http'](linking, entry, target, place)
    if (linked?.mode === 'live' || linked?.mode === 'tcp' || linked?.mode === 'proxy') live.push({ entry, environment, target: linked })
    if (linked !== undefined && kind === linking.environmentClass) kept.push([environment, linked])
  }
  return Object.fromEntries(kept)
}
