import type { Subject } from '../../model/principal.ts'
import type { Issuer } from '../../policy/linked/issuers.ts'
import { type KeyLookup, type KeyPorts, KeySet, type KeySetSource, type KeySetStatus, type Mark } from './key-set.ts'
import { Lru } from './lru.ts'

/** One issuer configuration's share in what outlives a snapshot: its issuer's keys, and what is known of tokens already seen. */
export interface IssuerShare {
  lookup(kid: string | undefined): KeyLookup | Promise<KeyLookup>
  /** The principal of a token that was verified under this very configuration, while that still holds. */
  recall(digest: string): Subject | undefined
  remember(digest: string, principal: Subject, endsAt: number, mark: Mark): void
  /** Why a token with this digest was refused moments ago. */
  refusal(digest: string): string | undefined
  refuse(digest: string, reason: string): void
  release(): void
}

interface Verified {
  readonly principal: Subject
  /** Wall time, milliseconds: when the token itself ends. */
  readonly endsAt: number
  readonly mark: Mark
}

export interface Shared<T> {
  readonly thing: T
  users: number
}

const verifiedLimit = 10_000
const verifiedMs = 60_000
const refusedLimit = 2_000
const refusedMs = 5_000

/**
 * Key sets and token memories of the process. Snapshots take shares: equal sources share one key set and equal issuer configurations
 * one memory, so a reload neither fetches again nor forgets; what nobody holds any more is closed.
 */
export class KeySets {
  readonly #ports: KeyPorts
  readonly #sets = new Map<string, Shared<KeySet>>()
  /** Configurations to the short names that stand for them in the memories' keys; a name is never used twice. */
  readonly #names = new Map<string, Shared<string>>()
  readonly #verified: Lru<Verified>
  readonly #refused: Lru<string>
  #lastName = 0

  constructor(ports: KeyPorts) {
    this.#ports = ports
    this.#verified = new Lru(verifiedLimit, ports.clock)
    this.#refused = new Lru(refusedLimit, ports.clock)
  }

  acquire(issuer: Issuer): IssuerShare {
    const source: KeySetSource = { issuer: issuer.issuer, jwks: issuer.jwks, staleKeysForMs: issuer.staleKeysForMs }
    const set = take(this.#sets, JSON.stringify(source), () => new KeySet(source, this.#ports))
    const name = take(this.#names, JSON.stringify(issuer), () => `${++this.#lastName}`)
    const share = this.#memoriesOf(name.thing)
    let held = true
    return {
      ...share,
      lookup: (kid) => set.thing.lookup(kid),
      release: () => {
        if (!held) return
        held = false
        name.give()
        if (set.give()) set.thing.close()
      },
    }
  }

  /** How every key set in use stands, for readiness and the admin API. */
  status(): readonly KeySetStatus[] {
    return [...this.#sets.values()].map((shared) => shared.thing.status())
  }

  /** Fetches what has not been fetched yet, so that the first request need not wait. Never rejects. */
  async warm(): Promise<void> {
    await Promise.all([...this.#sets.values()].map((shared) => shared.thing.warm()))
  }

  #memoriesOf(name: string): Pick<IssuerShare, 'recall' | 'remember' | 'refusal' | 'refuse'> {
    const { clock } = this.#ports
    return {
      recall: (digest) => {
        const hit = this.#verified.get(`${name}.${digest}`)
        if (hit === undefined) return undefined
        if (hit.mark.alive && clock.now() < hit.endsAt) return hit.principal
        this.#verified.delete(`${name}.${digest}`)
        return undefined
      },
      remember: (digest, principal, endsAt, mark) => {
        this.#verified.put(`${name}.${digest}`, { principal, endsAt, mark }, Math.min(verifiedMs, endsAt - clock.now()))
      },
      refusal: (digest) => this.#refused.get(`${name}.${digest}`),
      refuse: (digest, reason) => this.#refused.put(`${name}.${digest}`, reason, refusedMs),
    }
  }
}

/** Takes a share of what stands under `key`; `give` gives it back and says whether it was the last. */
export function take<T>(all: Map<string, Shared<T>>, key: string, make: () => T): { readonly thing: T; readonly give: () => boolean } {
  const shared = all.get(key) ?? { thing: make(), users: 0 }
  shared.users++
  all.set(key, shared)
  return {
    thing: shared.thing,
    give: () => {
      if (--shared.users > 0) return false
      all.delete(key)
      return true
    },
  }
}
