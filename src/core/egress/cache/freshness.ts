import CachePolicy from 'http-cache-semantics'
import { FieldList } from '../../model/fields.ts'
import type { Fields } from '../../model/wire.ts'
import type { Clock } from '../../ports.ts'
import { directives, parseSeconds } from './directives.ts'

/** An answer as it was stored, without its body: how long it may serve, and for what (RFC 9111). */
export interface Freshness {
  /** Seconds since its vendor made it. */
  age(): number
  /** Seconds that it is fresh for; what it is over is below zero. */
  ttl(): number
  /** Whether it answers this request without asking the vendor. */
  fits(request: Fields): boolean
  /** What asks the vendor whether it still holds, as header fields; none where the vendor gave nothing to ask by. */
  conditions(request: Fields): readonly (readonly [string, string])[]
  /** Whether a 304 with these fields is about this answer. */
  isConfirmedBy(fields: Fields): boolean
  /** Whether it may serve in place of a failure (RFC 5861). */
  bridgesErrors(): boolean
}

/** Judges an answer with the status and fields that it has. Undefined: it may not be stored. */
export type Judge = (request: Fields, status: number, fields: Fields) => Freshness | undefined

/** What the rules look at. */
const relevant = ['age', 'date', 'etag', 'expires', 'last-modified', 'pragma', 'vary'] as const

const validators = ['if-none-match', 'if-modified-since'] as const

/**
 * Builds the rules. They are those of a private cache: what is stored serves one caller, with one credential, in one environment, as a browser's cache serves
 * one person; so `private` and requests that were authenticated do not matter, and `s-maxage` is somebody else's. Nothing is fresh unless the vendor says so: no
 * heuristics. Time is monotonic, so that a step of the clock makes nothing young again.
 */
export function buildJudge(clock: Pick<Clock, 'now' | 'ticks'>): Judge {
  const offset = clock.now() - clock.ticks()
  const now = () => offset + clock.ticks()
  // The package reads the time by this method, which its types leave out.
  class Policy extends CachePolicy {
    now(): number {
      return now()
    }
  }
  const options = { shared: false, cacheHeuristic: 0, immutableMinTimeToLive: 0 } as const

  return function judge(request, status, fields) {
    if (fields.has('set-cookie') || fields.all('vary').some((value) => value.includes('*'))) return undefined
    const said = directives(fields.all('cache-control'))
    const headers = pick(fields)
    // RFC 9111 section 4.2.3: a Date of long ago is an age too.
    const apparent = Math.max(0, now() - new Policy(asked(request), { status, headers }, options).date()) / 1_000
    headers['age'] = `${Math.max(apparent, parseSeconds(headers['age'] ?? '') ?? 0)}`
    const control = controlOf(said)
    if (control !== '') headers['cache-control'] = control
    const policy = new Policy(asked(request), { status, headers }, options)
    const bridgeSeconds = said.has('must-revalidate') || said.has('no-cache') ? 0 : (parseSeconds(said.get('stale-if-error') ?? '') ?? 0)
    const hasValidator = headers['etag'] !== undefined || headers['last-modified'] !== undefined
    const ttl = () => policy.maxAge() - policy.age()
    if (!policy.storable() || (ttl() + bridgeSeconds <= 0 && !hasValidator)) return undefined
    return {
      age: () => Math.max(0, Math.floor(policy.age())),
      ttl: () => Math.floor(ttl()),
      fits: (other) => policy.evaluateRequest(asked(other)).response !== undefined,
      conditions(other) {
        const wanted = policy.revalidationHeaders(asked(other))
        return validators.flatMap((name) => {
          const value = wanted[name]
          return typeof value === 'string' ? [[name, value] as const] : []
        })
      },
      isConfirmedBy: (confirming) => policy.revalidatedPolicy(asked(request), { status: 304, headers: pick(confirming) }).matches,
      bridgesErrors: () => ttl() + bridgeSeconds > 0,
    }
  }
}

/** A request as the package reads it. HEAD is answered by what GET got. */
function asked(fields: Fields): { readonly method: 'GET'; readonly headers: Record<string, string> } {
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of fields.entries()) headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  const said = directives(fields.all('cache-control'))
  // A caller that puts up with stale answers gets none all the same.
  const kept = ['no-cache', 'max-age', 'min-fresh'].flatMap((name) => (said.has(name) ? [said.get(name) === '' ? name : `${name}=${said.get(name)}`] : []))
  headers['cache-control'] = kept.join(', ')
  return { method: 'GET', headers }
}

function pick(fields: Fields): Record<string, string> {
  const headers: Record<string, string> = Object.create(null)
  for (const name of relevant) {
    const all = fields.all(name)
    if (all.length > 0) headers[name] = all.join(', ')
  }
  return headers
}

/** What of `Cache-Control` matters to a private cache that serves nothing stale, in the spelling that the package reads. */
function controlOf(said: ReadonlyMap<string, string>): string {
  return ['no-store', 'no-cache', 'public', 'max-age']
    .flatMap((name) => {
      if (!said.has(name)) return []
      return [name === 'max-age' ? `max-age=${parseSeconds(said.get(name) ?? '') ?? 0}` : name]
    })
    .join(', ')
}

/** Fields of a body that is not in a 304. */
const ofTheBody: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'content-range', 'content-type'])

/** The stored fields with those of the 304 that confirmed them in place of their own (RFC 9111 section 3.2). */
export function confirmed(stored: Fields, by: Fields): FieldList {
  const merged = new FieldList(stored.entries()).remove('age')
  const names = new Set(by.entries().map(([name]) => name))
  for (const name of names) {
    if (ofTheBody.has(name)) continue
    merged.remove(name)
    for (const value of by.all(name)) merged.append(name, value)
  }
  return merged
}
