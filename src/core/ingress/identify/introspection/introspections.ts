import { Fault } from '../../../model/fault.ts'
import type { Subject } from '../../../model/principal.ts'
import type { Issuer } from '../../../policy/linked/issuers.ts'
import { idpUnavailable, tokenInvalid } from '../answers.ts'
import { type Shared, take } from '../key-sets.ts'
import { Lru } from '../lru.ts'
import type { IdentifyPorts } from '../ports.ts'
import type { Source } from './ask.ts'
import { Introspector } from './introspector.ts'
import { endOfAnswer, judgeAnswer } from './judge.ts'

/** One issuer configuration's share in what outlives a snapshot. */
export interface IntrospectionShare {
  /** The principal of an opaque token. Rejects with the Faults `token_invalid` and `idp_unavailable`. */
  ask(token: string, digest: string): Promise<Subject>
  release(): void
}

interface Active {
  readonly subject: Subject
  /** Wall time, milliseconds. */
  readonly endsAt: number
}

type Ports = Pick<IdentifyPorts, 'clock' | 'random' | 'fetch' | 'secrets' | 'shared' | 'meter'>

const activeLimit = 10_000
const refusedLimit = 2000
const refusedMs = 3000
/** How long other replicas may go on with what one was told to forget. */
const lookMs = 1000
const clearedKey = 'identify.introspection:cleared'

/**
 * What is known of opaque tokens, by their digests: active ones for as long as their issuer's settings say, never past `exp`; refused ones for three
 * seconds. Each token is asked about once at a time. Equal configurations share endpoints and memories, so a reload neither asks again nor forgets.
 */
export class Introspections {
  readonly #ports: Ports
  readonly #endpoints = new Map<string, Shared<Introspector>>()
  /** Configurations to the short names that stand for them in the memories' keys; a name is never used twice. */
  readonly #names = new Map<string, Shared<string>>()
  readonly #active: Lru<Active>
  readonly #refused: Lru<string>
  readonly #flights = new Map<string, Promise<Subject>>()
  #lastName = 0
  /** Grows when everything is forgotten: an answer that was asked for before must not be remembered after. */
  #epoch = 0
  #mark: string | undefined
  #looked: { readonly at: number; readonly trusted: Promise<boolean> } | undefined

  constructor(ports: Ports) {
    this.#ports = ports
    this.#active = new Lru(activeLimit, ports.clock)
    this.#refused = new Lru(refusedLimit, ports.clock)
  }

  /** A share for an issuer with introspection settings; undefined without. */
  acquire(issuer: Issuer): IntrospectionShare | undefined {
    const { introspection: settings } = issuer
    if (settings === undefined) return undefined
    const source: Source = { issuer: issuer.issuer, settings }
    const endpoint = take(this.#endpoints, JSON.stringify(source), () => new Introspector(source, this.#ports))
    const name = take(this.#names, JSON.stringify(issuer), () => `${++this.#lastName}`)
    let held = true
    return {
      ask: (token, digest) => this.#recall(issuer, endpoint.thing, token, `${name.thing}.${digest}`),
      release: () => {
        if (!held) return
        held = false
        name.give()
        endpoint.give()
      },
    }
  }

  /** Forgets every answer, here at once and within a second on every replica that shares `ports.shared`. Rejects when those cannot be told. */
  async clear(): Promise<void> {
    this.#forget()
    const mark = this.#ports.random.hex(16)
    await this.#ports.shared.set(clearedKey, mark, undefined)
    this.#mark = mark
  }

  #forget(): void {
    this.#epoch++
    this.#active.clear()
    this.#refused.clear()
    this.#flights.clear()
  }

  async #recall(issuer: Issuer, endpoint: Introspector, token: string, key: string): Promise<Subject> {
    // Without knowing whether something was revoked, nothing that is remembered counts.
    if (!(await this.#isTrusted())) return this.#ask(issuer, endpoint, token, key)
    const refused = this.#refused.get(key)
    if (refused !== undefined) throw tokenInvalid(refused)
    const known = this.#active.get(key)
    if (known !== undefined && this.#ports.clock.now() < known.endsAt) {
      this.#ports.meter.count('sallyport_introspections_total', { issuer: issuer.issuer, outcome: 'remembered' })
      return known.subject
    }
    return this.#ask(issuer, endpoint, token, key)
  }

  #ask(issuer: Issuer, endpoint: Introspector, token: string, key: string): Promise<Subject> {
    const under = this.#flights.get(key)
    if (under !== undefined) return under
    const flight = this.#fresh(issuer, endpoint, token, key)
    this.#flights.set(key, flight)
    const over = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    flight.then(over, over)
    return flight
  }

  async #fresh(issuer: Issuer, endpoint: Introspector, token: string, key: string): Promise<Subject> {
    const epoch = this.#epoch
    const asked = await endpoint.ask(token)
    if (asked.kind === 'unavailable') throw idpUnavailable(asked.retryAfterMs, asked.reason)
    const now = this.#ports.clock.now()
    try {
      const subject = judgeAnswer(issuer, asked.answer, now)
      const endsAt = endOfAnswer(asked.answer)
      if (epoch === this.#epoch) this.#active.put(key, { subject, endsAt }, Math.min(issuer.introspection?.cacheMs ?? 0, endsAt - now))
      return subject
    } catch (error) {
      const fault = Fault.from(error)
      if (fault.code === 'token_invalid' && epoch === this.#epoch) this.#refused.put(key, fault.detail.internal ?? 'refused before', refusedMs)
      throw fault
    }
  }

  /** Whether the memories may be used: nobody has asked to forget since they were filled, as far as the last second. */
  #isTrusted(): Promise<boolean> {
    const now = this.#ports.clock.ticks()
    if (this.#looked === undefined || now - this.#looked.at >= lookMs) this.#looked = { at: now, trusted: this.#look() }
    return this.#looked.trusted
  }

  async #look(): Promise<boolean> {
    try {
      const mark = (await this.#ports.shared.get(clearedKey)) ?? ''
      if (this.#mark !== undefined && this.#mark !== mark) this.#forget()
      this.#mark = mark
      return true
    } catch {
      return false
    }
  }
}

/** What this process remembers of opaque tokens, and the endpoints it asks. */
export function introspectionsOf(ports: IdentifyPorts): Introspections {
  return ports.lasting('identify.introspections', () => new Introspections(ports))
}
