import type { Clock, Fetch, Secrets } from '../../core/ports.ts'
import { askVault, asObject, type JsonObject, VaultAway, VaultRefused } from './api.ts'
import type { VaultSettings } from './settings.ts'

export interface VaultPorts {
  /** `after` must not keep the process alive. */
  readonly clock: Pick<Clock, 'ticks' | 'after'>
  readonly fetch: Fetch
  /** `env:` and `file:` alone. */
  readonly secrets: Secrets
}

interface Held {
  readonly token: string
  /** The first lease; Infinity for a token that does not end. Milliseconds. */
  readonly leaseMs: number
  readonly expiresAt: number
  readonly renewable: boolean
}

/** Share of its lease after which a token is renewed. */
const renewShare = 2 / 3
/** Until a renewal that failed is tried again, at least. */
const retryMs = 5_000

/** Who the gateway is to Vault: one token, got when it is needed and renewed before its lease ends, whether or not anybody reads. */
export class VaultSession {
  readonly #settings: VaultSettings
  readonly #ports: VaultPorts
  #held: Held | undefined
  #opening: Promise<Held> | undefined
  #timer: { cancel(): void } | undefined

  constructor(settings: VaultSettings, ports: VaultPorts) {
    this.#settings = settings
    this.#ports = ports
  }

  /** A token that has not ended. One login is under way at a time. @throws VaultRefused, VaultAway */
  async token(): Promise<string> {
    if (this.#held !== undefined && this.#ports.clock.ticks() < this.#held.expiresAt) return this.#held.token
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return (await this.#opening).token
  }

  /** Vault refused it. Another one may be had, unless it is the very same again. */
  forget(token: string): void {
    if (this.#held?.token === token) this.#held = undefined
  }

  async #open(): Promise<Held> {
    const { login } = this.#settings
    const held = login.kind === 'token' ? await this.#lookUp(await this.#read(login.reference)) : await this.#logIn(login)
    this.#keep(held)
    return held
  }

  #read(reference: string): Promise<string> {
    return this.#ports.secrets.read(reference).catch(() => {
      throw new VaultRefused(`${reference}, which Vault is asked with, is missing or empty`, 403)
    })
  }

  /** `POST auth/kubernetes/login`. */
  async #logIn(login: Extract<VaultSettings['login'], { kind: 'kubernetes' }>): Promise<Held> {
    const body = { role: login.role, jwt: await this.#read(login.jwt) }
    return this.#granted(await this.#ask({ method: 'POST', path: `auth/${login.mount}/login`, token: undefined, body }), undefined)
  }

  /** `GET auth/token/lookup-self`. A token that may not look at itself is used as it is. */
  async #lookUp(token: string): Promise<Held> {
    const endless = { token, leaseMs: Number.POSITIVE_INFINITY, expiresAt: Number.POSITIVE_INFINITY, renewable: false }
    try {
      const { ttl, renewable } = asObject((await this.#ask({ method: 'GET', path: 'auth/token/lookup-self', token }))['data'])
      if (typeof ttl !== 'number' || ttl <= 0) return endless
      return { token, leaseMs: ttl * 1000, expiresAt: this.#ports.clock.ticks() + ttl * 1000, renewable: renewable === true }
    } catch (error) {
      if (error instanceof VaultRefused) return endless
      throw error
    }
  }

  #granted(answer: JsonObject, before: Held | undefined): Held {
    const { client_token: token, lease_duration: seconds, renewable } = asObject(answer['auth'])
    if (typeof token !== 'string' || token === '' || typeof seconds !== 'number') throw new VaultAway('Vault answered without a token')
    const leaseMs = seconds > 0 ? seconds * 1000 : Number.POSITIVE_INFINITY
    return { token, leaseMs: before?.leaseMs ?? leaseMs, expiresAt: this.#ports.clock.ticks() + leaseMs, renewable: renewable === true }
  }

  #keep(held: Held): void {
    this.#held = held
    const leftMs = held.expiresAt - this.#ports.clock.ticks()
    if (Number.isFinite(leftMs)) this.#wait(leftMs * renewShare)
  }

  #wait(ms: number): void {
    this.#timer?.cancel()
    this.#timer = this.#ports.clock.after(ms, () => void this.#renew())
  }

  /** Never rejects: a token that could not be renewed serves until its end, and whoever reads then hears why there is none. */
  async #renew(): Promise<void> {
    const held = this.#held
    if (held === undefined) return
    try {
      this.#keep(await this.#next(held))
    } catch {
      const leftMs = held.expiresAt - this.#ports.clock.ticks()
      if (leftMs > 0) this.#wait(Math.max(retryMs, leftMs / 4))
    }
  }

  /** `POST auth/token/renew-self`; a token near the end of its longest life, or that is not renewed at all, is replaced where we can log in. */
  async #next(held: Held): Promise<Held> {
    const { login } = this.#settings
    if (held.renewable) {
      try {
        const renewed = this.#granted(await this.#ask({ method: 'POST', path: 'auth/token/renew-self', token: held.token, body: {} }), held)
        const shrinks = renewed.expiresAt - this.#ports.clock.ticks() < held.leaseMs / 2
        if (!shrinks || login.kind === 'token') return renewed
      } catch (error) {
        if (!(error instanceof VaultRefused)) throw error
      }
    }
    return login.kind === 'token' ? this.#lookUp(await this.#read(login.reference)) : this.#logIn(login)
  }

  #ask(request: Parameters<typeof askVault>[2]): Promise<JsonObject> {
    return askVault(this.#settings, this.#ports.fetch, request)
  }
}
