import { createLocalJWKSet } from 'jose'
import type { Ports } from '../../ports.ts'
import { type FetchedKeys, fetchKeys, type KeySource } from './fetch-keys.ts'
import { type PublicJwk, usableKeys } from './jwk.ts'
import { Lru } from './lru.ts'

export type KeyPorts = Pick<Ports, 'clock' | 'random' | 'digest' | 'fetch' | 'store' | 'meter'>

/** What an issuer's keys are known by: where they come from, and how long they may be used while that place is down. */
export interface KeySetSource extends KeySource {
  readonly staleKeysForMs: number
}

/** Dies when the key it stands for leaves the key set. */
export interface Mark {
  alive: boolean
}

export type KeyLookup =
  | { readonly kind: 'found'; readonly keys: ReturnType<typeof createLocalJWKSet>; readonly mark: Mark }
  /** The issuer has no such key, as far as may be asked now. */
  | { readonly kind: 'unknown' }
  /** No keys to judge by. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number; readonly reason: string }

export interface KeySetStatus {
  readonly issuer: string
  /** `unread`: nobody asked yet. `stale`: kept beyond its time because the issuer cannot be reached. */
  readonly state: 'unread' | 'fresh' | 'stale' | 'unavailable'
  readonly keys: number
  /** Since the keys were last confirmed. */
  readonly ageMs: number | undefined
  readonly problem: string | undefined
}

interface Good {
  readonly keys: readonly PublicJwk[]
  readonly local: ReturnType<typeof createLocalJWKSet>
  /** By kid; what stands for a token without kid is any key, under `undefined`. */
  readonly marks: ReadonlyMap<string | undefined, Mark & { readonly of: string }>
  readonly uri: string
  readonly etag: string | undefined
  /** Monotonic milliseconds. */
  readonly confirmedAt: number
  readonly maxAgeMs: number
}

interface Saved {
  /** Wall time, milliseconds. */
  readonly at: number
  readonly maxAgeMs: number
  readonly uri: string
  readonly keys: readonly PublicJwk[]
}

const fetchLimitMs = 3000
const storeLimitMs = 500
const discoveryMs = 24 * 60 * 60_000
const kidPauseMs = 10_000
const kidMemoryMs = 60_000
const backOff = { first: 1000, most: 60_000 }

/**
 * The keys of one issuer. One fetch at a time, ahead of need (at about 80 % of max-age); the last good keys serve while the issuer
 * is down, up to `staleKeysFor` beyond their time; an answer without a usable key never replaces good ones. At most one fetch in ten
 * seconds for key ids nobody knows. Never rejects.
 */
export class KeySet {
  readonly #source: KeySetSource
  readonly #ports: KeyPorts
  readonly #missing: Lru<true>
  #good: Good | undefined
  #flight: { readonly startedAt: number; readonly done: Promise<void> } | undefined
  /** When the issuer was last asked because of a key id nobody knows. */
  #soughtAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #retryAt = Number.NEGATIVE_INFINITY
  #problem: string | undefined
  #uri: { readonly value: string; readonly since: number } | undefined
  #saved: Saved | undefined
  #triedStore = false
  #timer: { cancel(): void } | undefined
  #closed = false

  constructor(source: KeySetSource, ports: KeyPorts) {
    this.#source = source
    this.#ports = ports
    this.#missing = new Lru(1000, ports.clock)
  }

  /** The keys for a token of this key id. Waits for the issuer only when there is nothing to answer with, at most three seconds. */
  lookup(kid: string | undefined): KeyLookup | Promise<KeyLookup> {
    const known = this.#known(kid)
    if (known === undefined || this.#lapsed()) return this.#seek(kid)
    if (this.#isDue()) void this.#refresh()
    return known
  }

  /** Fetches the keys unless they are there already. */
  async warm(): Promise<void> {
    if (this.#usable() === undefined) await this.#refresh()
  }

  status(): KeySetStatus {
    const good = this.#good
    const ageMs = good === undefined ? undefined : Math.round(this.#now() - good.confirmedAt)
    return { issuer: this.#source.issuer, state: this.#state(), keys: good?.keys.length ?? 0, ageMs, problem: this.#problem }
  }

  /** No further timers; requests that still hold it go on. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #state(): KeySetStatus['state'] {
    const good = this.#usable()
    if (good === undefined) return this.#failures === 0 ? 'unread' : 'unavailable'
    return this.#age(good) > good.maxAgeMs ? 'stale' : 'fresh'
  }

  async #seek(kid: string | undefined): Promise<KeyLookup> {
    const usable = this.#usable() !== undefined
    if (usable && !this.#lapsed() && kid !== undefined && this.#missing.get(kid) === true) return { kind: 'unknown' }
    const asked = this.#flight !== undefined || this.#mayFetch(usable)
    if (asked) await this.#refresh()
    const known = this.#known(kid)
    if (known !== undefined) return known
    if (this.#usable() === undefined || this.#failures > 0) return this.#unavailable()
    if (asked && kid !== undefined) this.#missing.put(kid, true, kidMemoryMs)
    return { kind: 'unknown' }
  }

  /** Whether the issuer may be asked now; asking for an unknown key id uses up the one time in ten seconds. */
  #mayFetch(usable: boolean): boolean {
    const now = this.#now()
    if (now < this.#retryAt) return false
    if (!usable || this.#lapsed()) return true
    // Fetches ahead of need do not count: a key that is new right after one must not have to wait.
    if (now - this.#soughtAt < kidPauseMs) return false
    this.#soughtAt = now
    return true
  }

  #unavailable(): KeyLookup {
    const retryAfterMs = Math.max(0, this.#retryAt - this.#now())
    return { kind: 'unavailable', retryAfterMs, reason: `no usable keys of ${this.#source.issuer}: ${this.#problem ?? 'not fetched'}` }
  }

  #known(kid: string | undefined): KeyLookup | undefined {
    const good = this.#usable()
    const mark = good?.marks.get(kid)
    return good === undefined || mark === undefined ? undefined : { kind: 'found', keys: good.local, mark }
  }

  /** The last good keys while they may be used: their time, and `staleKeysFor` beyond it. */
  #usable(): Good | undefined {
    const good = this.#good
    return good !== undefined && this.#age(good) <= good.maxAgeMs + this.#source.staleKeysForMs ? good : undefined
  }

  /** Past their time, though the issuer was not seen to fail: no timer ran, so ask first. */
  #lapsed(): boolean {
    return this.#good !== undefined && this.#failures === 0 && this.#age(this.#good) > this.#good.maxAgeMs
  }

  #isDue(): boolean {
    const good = this.#good
    return good !== undefined && this.#age(good) >= good.maxAgeMs * 0.85 && this.#now() >= this.#retryAt
  }

  #age(good: Good): number {
    return this.#now() - good.confirmedAt
  }

  #now(): number {
    return this.#ports.clock.ticks()
  }

  #refresh(): Promise<void> {
    const flight = this.#flight
    // A ground may freeze what no request waits for; what took twice its limit is not waited for again.
    if (flight !== undefined && this.#now() - flight.startedAt < 2 * (fetchLimitMs + storeLimitMs)) return flight.done
    const started = { startedAt: this.#now(), done: this.#run() }
    this.#flight = started
    void started.done.finally(() => {
      if (this.#flight === started) this.#flight = undefined
    })
    return started.done
  }

  async #run(): Promise<void> {
    await this.#readStore()
    if (this.#good === undefined && this.#saved !== undefined && this.#savedAge() <= this.#saved.maxAgeMs) this.#restore()
    else await this.#fetch()
    this.#schedule()
    this.#ports.meter.gauge('sallyport_key_set_age_seconds', (this.status().ageMs ?? 0) / 1000, { issuer: this.#source.issuer })
  }

  async #fetch(): Promise<void> {
    const { clock, fetch, meter } = this.#ports
    const end = clock.ticks() + fetchLimitMs
    try {
      const work = fetchKeys(this.#source, { uri: this.#discovered(), answer: this.#good }, fetch, () => end - clock.ticks())
      this.#accept(await within(clock, fetchLimitMs, work))
      meter.count('sallyport_key_set_fetches_total', { issuer: this.#source.issuer, outcome: 'good' })
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
      meter.count('sallyport_key_set_fetches_total', { issuer: this.#source.issuer, outcome: 'failed' })
      if (this.#usable() === undefined && this.#saved !== undefined) this.#restore()
    }
  }

  #accept(fetched: FetchedKeys): void {
    const { uri, etag, maxAgeMs } = fetched
    const keys = fetched.kind === 'keys' ? fetched.keys : (this.#good?.keys ?? [])
    this.#install(keys, { uri, etag, maxAgeMs, confirmedAt: this.#now() })
    if (this.#discovered() !== uri) this.#uri = { value: uri, since: this.#now() }
    this.#failures = 0
    this.#retryAt = Number.NEGATIVE_INFINITY
    this.#problem = undefined
    this.#saved = undefined
    void this.#save({ at: this.#ports.clock.now(), maxAgeMs, uri, keys })
  }

  /** Where discovery last said the keys are, for a day. */
  #discovered(): string | undefined {
    return this.#uri !== undefined && this.#now() - this.#uri.since < discoveryMs ? this.#uri.value : undefined
  }

  #fail(problem: string): void {
    this.#failures++
    this.#problem = problem
    // What discovery said may be what is wrong: ask it again.
    this.#uri = undefined
    const pause = Math.min(backOff.most, backOff.first * 2 ** (this.#failures - 1))
    this.#retryAt = this.#now() + pause
  }

  #install(keys: readonly PublicJwk[], facts: Pick<Good, 'uri' | 'etag' | 'maxAgeMs' | 'confirmedAt'>): void {
    const before = this.#good?.marks
    const marks = new Map<string | undefined, Mark & { readonly of: string }>()
    for (const kid of new Set([undefined, ...keys.flatMap((key) => key.kid ?? [])])) {
      const of = JSON.stringify(kid === undefined ? keys : keys.filter((key) => key.kid === kid))
      const old = before?.get(kid)
      marks.set(kid, old?.of === of ? old : { alive: true, of })
    }
    for (const [kid, mark] of before ?? []) if (marks.get(kid) !== mark) mark.alive = false
    // jose reads the set without changing it; its type does not say so.
    this.#good = { keys, local: createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) }), marks, ...facts }
  }

  #schedule(): void {
    this.#timer?.cancel()
    const good = this.#good
    if (this.#closed) return
    const share = 0.75 + 0.1 * this.#ports.random.unit()
    const at = this.#failures > 0 ? this.#retryAt : good === undefined ? undefined : good.confirmedAt + good.maxAgeMs * share
    if (at !== undefined) this.#timer = this.#ports.clock.after(Math.max(0, at - this.#now()), () => void this.#refresh())
  }

  async #readStore(): Promise<void> {
    if (this.#triedStore || this.#good !== undefined) return
    this.#triedStore = true
    try {
      const text = await within(
        this.#ports.clock,
        storeLimitMs,
        this.#storeKey().then((key) => this.#ports.store.get(key)),
      )
      this.#saved = text === undefined ? undefined : savedFrom(text)
    } catch {
      // A store that fails has nothing saved; the issuer is asked next.
    }
  }

  /** Puts the saved keys in force, aged as they are; `#usable` judges whether they still may serve. */
  #restore(): void {
    const saved = this.#saved
    if (saved === undefined) return
    this.#saved = undefined
    this.#install(saved.keys, { uri: saved.uri, etag: undefined, maxAgeMs: saved.maxAgeMs, confirmedAt: this.#now() - ageOf(saved, this.#ports.clock.now()) })
  }

  #savedAge(): number {
    return this.#saved === undefined ? Number.POSITIVE_INFINITY : ageOf(this.#saved, this.#ports.clock.now())
  }

  async #save(saved: Saved): Promise<void> {
    try {
      await this.#ports.store.set(await this.#storeKey(), JSON.stringify(saved), saved.maxAgeMs + this.#source.staleKeysForMs)
    } catch {
      // The keys in memory serve; a store that fails costs the next cold start a fetch.
    }
  }

  async #storeKey(): Promise<string> {
    return `key-set:${await this.#ports.digest(JSON.stringify([this.#source.issuer, this.#source.jwks]))}`
  }
}

function ageOf(saved: Saved, now: number): number {
  // A clock that was set back makes keys look unborn; they are then as old as new ones.
  return Math.max(0, now - saved.at)
}

/** Saved keys pass the same checks as fetched ones. */
function savedFrom(text: string): Saved | undefined {
  const saved: unknown = JSON.parse(text)
  if (typeof saved !== 'object' || saved === null || !('at' in saved && 'maxAgeMs' in saved && 'uri' in saved && 'keys' in saved)) return undefined
  const { at, maxAgeMs, uri } = saved
  if (typeof at !== 'number' || typeof maxAgeMs !== 'number' || typeof uri !== 'string') return undefined
  return { at, maxAgeMs, uri, keys: usableKeys(JSON.stringify({ keys: saved.keys })) }
}

/** `work`, or a rejection after `ms`. */
function within<T>(clock: KeyPorts['clock'], ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => reject(new Error(`no answer within ${ms} ms`)))
    work.then(resolve, reject).finally(() => timer.cancel())
  })
}
