import type { CryptoKey, JWK } from 'jose'
import type { Ports } from './ports.ts'
import { type AsymmetricKey, readAsymmetricKey } from './signing-key.ts'

export interface RingSettings {
  /** References to private keys, in the order in which they are to sign. */
  readonly keys: readonly string[]
  readonly algorithm: string
  /** How long a key is published before it signs. */
  readonly activateAfterMs: number
}

export interface Signer {
  readonly kid: string
  readonly key: CryptoKey
}

type RingPorts = Pick<Ports, 'clock' | 'secrets' | 'journal'>

interface Held extends AsymmetricKey {
  /** Monotonic milliseconds since which it is published; what a start finds counts as published. */
  readonly since: number
  /** When the last token that it signed is over. */
  until: number
}

/** How long what was read counts before the references are looked at again. */
const rereadMs = 10_000
/** Clocks of verifiers may be late. */
const leewayMs = 60_000

/**
 * The keys of one kind of token. A key that is new to a running gateway is published first and signs when its time has come; until then
 * the one before it signs on, even where its reference is gone. A key that is not listed any more stays published until the last
 * token that it signed is over. What a start finds signs at once, in the order of the references.
 */
export class KeyRing {
  readonly #ports: RingPorts
  readonly #held = new Map<string, Held>()
  /** What each reference led to when it could last be read. */
  readonly #byReference = new Map<string, string>()
  #settings: RingSettings
  #listed: readonly string[] = []
  #signing: string | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  #problem = ''

  constructor(settings: RingSettings, ports: RingPorts) {
    this.#settings = settings
    this.#ports = ports
  }

  /** The settings in force from now on: a reload changes them. */
  arrange(settings: RingSettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return
    // Keys that were read for another algorithm are not of use.
    if (settings.algorithm !== this.#settings.algorithm) this.#byReference.clear()
    this.#settings = settings
    this.#readAt = Number.NEGATIVE_INFINITY
  }

  /** The key that signs now. A token that it signs is over in `lifetimeMs`. @throws Error when there is none, saying why without quoting a key. */
  async signer(lifetimeMs: number): Promise<Signer> {
    await this.#refresh()
    const now = this.#ports.clock.ticks()
    const ripe = this.#listed.find((kid) => now - (this.#held.get(kid)?.since ?? now) >= this.#settings.activateAfterMs)
    const kid = ripe ?? (this.#signing !== undefined && this.#held.has(this.#signing) ? this.#signing : this.#listed[0])
    const held = kid === undefined ? undefined : this.#held.get(kid)
    if (held === undefined) throw new Error(this.#problem === '' ? 'there is no signing key' : this.#problem)
    this.#signing = held.kid
    held.until = Math.max(held.until, now + lifetimeMs + leewayMs)
    return held
  }

  /** The public halves of every key whose signature may still be met, or soon will. @throws Error when there is none. */
  async published(): Promise<readonly JWK[]> {
    await this.#refresh()
    if (this.#held.size === 0) throw new Error(this.#problem)
    return [...this.#held.values()].map(({ jwk }) => jwk)
  }

  async #refresh(): Promise<void> {
    const now = this.#ports.clock.ticks()
    if (now - this.#readAt >= rereadMs) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined
      })
      await this.#reading
    }
    for (const { kid, until } of this.#held.values()) {
      if (!this.#listed.includes(kid) && kid !== this.#signing && until <= now) this.#held.delete(kid)
    }
  }

  async #read(): Promise<void> {
    const settings = this.#settings
    const isFirst = this.#held.size === 0
    const problems: string[] = []
    for (const reference of settings.keys) {
      try {
        const read = await readAsymmetricKey(await this.#ports.secrets.read(reference), settings.algorithm)
        if (!read.isPrivate) throw new Error('it is a public key')
        this.#byReference.set(reference, read.kid)
        const since = isFirst ? Number.NEGATIVE_INFINITY : this.#ports.clock.ticks()
        if (!this.#held.has(read.kid)) this.#held.set(read.kid, { ...read, since, until: 0 })
      } catch (error) {
        // What it led to before stays in force: a mount that is being replaced must not stop every call.
        problems.push(`${reference}: ${error instanceof Error ? error.message : 'it cannot be read'}`)
      }
    }
    // A reload while this was under way wants its own references read.
    if (settings === this.#settings) this.#readAt = this.#ports.clock.ticks()
    this.#listed = [...new Set(settings.keys.flatMap((reference) => this.#byReference.get(reference) ?? []))]
    this.#report(problems.join('; '))
  }

  #report(problem: string): void {
    if (problem !== '' && problem !== this.#problem)
      this.#ports.journal.write({ kind: 'event', level: 'error', event: 'signing_key_unreadable', reason: problem })
    this.#problem = problem
  }
}

/** The rings of this process, by the policies' name of the token. */
export type KeyRings = (name: string, settings: RingSettings) => KeyRing

/** Most rings that are kept: names change when policies do. */
const mostRings = 64

/** The ring of a token, made when it is first asked for; the newest settings are in force. */
export function keyRingsOf(ports: RingPorts & Pick<Ports, 'lasting'>): KeyRings {
  const rings = ports.lasting('tokens.rings', () => new Map<string, KeyRing>())
  return (name, settings) => {
    const ring = rings.get(name) ?? new KeyRing(settings, ports)
    ring.arrange(settings)
    rings.delete(name)
    rings.set(name, ring)
    for (const oldest of rings.keys()) {
      if (rings.size <= mostRings) break
      rings.delete(oldest)
    }
    return ring
  }
}

/** A key set as it is published (RFC 7517), and for how many seconds a reader may keep it. */
export interface PublishedKeys {
  readonly text: string
  readonly maxAge: number
}

/** What reads the public keys of these tokens. @throws Error (when it reads) where one of them has no key. */
export function publishedKeysOf(
  tokens: readonly (RingSettings & { readonly name: string })[],
  ports: RingPorts & Pick<Ports, 'lasting'>,
): () => Promise<PublishedKeys> {
  const ringOf = keyRingsOf(ports)
  const rings = tokens.map((token) => ringOf(token.name, token))
  // Half of the time after which a new key signs, so that every reader has it by then.
  const soonest = Math.min(600_000, ...tokens.map(({ activateAfterMs }) => activateAfterMs))
  return async () => {
    const sets = await Promise.all(rings.map((ring) => ring.published()))
    const keys = new Map(sets.flat().map((jwk) => [jwk.kid, jwk]))
    return { text: JSON.stringify({ keys: [...keys.values()] }), maxAge: Math.floor(soonest / 2_000) }
  }
}
