import type { Clock } from './ports.ts'

/** A token and how long it lives, milliseconds, where that is known. */
export interface Token {
  readonly value: string
  readonly lifetimeMs: number | undefined
}

export interface TokenCacheRules {
  /** Share of its life after which a token is renewed, while it still serves. */
  readonly refreshShare: number
  /** Share of its life after which it does not serve any more, however short that is. */
  readonly usableShare: number
  /** No token stops serving earlier than this before its end. */
  readonly marginMs: number
  /** Most tokens that are kept. */
  readonly most: number
}

/** Tokens that others issue: used as long as can be. */
const issuedRules: TokenCacheRules = { refreshShare: 0.8, usableShare: 0.9, marginMs: 5_000, most: 1_000 }

/** A token whose issuer did not say how long it lives. */
const unstatedMs = 300_000
/** No token is used for longer, whatever its issuer said: a revoked key must stop working. */
const longestMs = 3_600_000
const firstWaitMs = 1_000
const longestWaitMs = 30_000
/** A vendor that refuses the next token so soon would refuse the one after it too. */
const spoilMs = 10_000

interface Held {
  readonly value: string
  readonly refreshAt: number
  readonly expiresAt: number
}

interface Entry {
  held: Held | undefined
  asking: Promise<Held> | undefined
  spoiledAt: number
  failure: { readonly error: Error; readonly until: number; readonly waitMs: number } | undefined
}

/**
 * Access tokens by key. One request per key is under way at a time, whoever waits; a token is renewed before its end
 * while the old one still serves; after a failure the issuer is left alone for 1 s, doubling to 30 s. Expired is never used.
 */
export class TokenCache {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #rules: TokenCacheRules
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Pick<Clock, 'ticks'>, rules: TokenCacheRules = issuedRules) {
    this.#clock = clock
    this.#rules = rules
  }

  /** The token under `key`, asked for with `request` when there is none. @throws whatever `request` threw, now or within the pause after it. */
  async get(key: string, request: () => Promise<Token>): Promise<string> {
    const entry = this.#entry(key)
    const now = this.#clock.ticks()
    const { held } = entry
    if (held !== undefined && now < held.expiresAt) {
      // A failure is remembered in the entry, and the token at hand still serves.
      if (now >= held.refreshAt && !this.#pauses(entry)) this.#ask(entry, request).catch(() => {})
      return held.value
    }
    if (entry.failure !== undefined && this.#pauses(entry)) throw entry.failure.error
    return (await this.#ask(entry, request)).value
  }

  /** How long this token may still be used, milliseconds; 0 when it is the one under `key` no more. */
  leftMs(key: string, value: string): number {
    const held = this.#entries.get(key)?.held
    return held?.value === value ? Math.max(0, held.expiresAt - this.#clock.ticks()) : 0
  }

  /** The vendor refused this token: it is not used again, unless one was refused moments ago, when another would fare no better. Whether there is, or may be, another one. */
  spoil(key: string, value: string): boolean {
    const entry = this.#entries.get(key)
    if (entry?.held?.value !== value) return true
    const now = this.#clock.ticks()
    if (now - entry.spoiledAt < spoilMs) return false
    entry.spoiledAt = now
    entry.held = undefined
    return true
  }

  /** Forgets the longest unused entries beyond a bound: reloads change keys. */
  #entry(key: string): Entry {
    const entry = this.#entries.get(key) ?? { held: undefined, asking: undefined, spoiledAt: Number.NEGATIVE_INFINITY, failure: undefined }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#rules.most) break
      this.#entries.delete(oldest)
    }
    return entry
  }

  #pauses(entry: Entry): boolean {
    return entry.failure !== undefined && this.#clock.ticks() < entry.failure.until
  }

  #ask(entry: Entry, request: () => Promise<Token>): Promise<Held> {
    entry.asking ??= this.#fetch(entry, request).finally(() => {
      entry.asking = undefined
    })
    return entry.asking
  }

  async #fetch(entry: Entry, request: () => Promise<Token>): Promise<Held> {
    // The life of a token starts before the answer arrives.
    const startedAt = this.#clock.ticks()
    try {
      const held = hold(await request(), startedAt, this.#rules)
      entry.held = held
      entry.failure = undefined
      return held
    } catch (error) {
      const waitMs = Math.min(longestWaitMs, entry.failure === undefined ? firstWaitMs : entry.failure.waitMs * 2)
      const failure = error instanceof Error ? error : new Error('the token request failed')
      entry.failure = { error: failure, until: this.#clock.ticks() + waitMs, waitMs }
      throw failure
    }
  }
}

function hold(token: Token, startedAt: number, { refreshShare, usableShare, marginMs }: TokenCacheRules): Held {
  const lifeMs = Math.min(longestMs, token.lifetimeMs ?? unstatedMs)
  return {
    value: token.value,
    refreshAt: startedAt + lifeMs * refreshShare,
    expiresAt: startedAt + Math.max(lifeMs - marginMs, lifeMs * usableShare),
  }
}
