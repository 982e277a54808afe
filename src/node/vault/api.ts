import { Fault } from '../../core/model/fault.ts'
import type { Fetch, FetchResponse } from '../../core/ports.ts'
import type { VaultSettings } from './settings.ts'

/** Vault says no, and would say so again. */
export class VaultRefused extends Error {
  override readonly name = 'VaultRefused'
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

/** Nobody can say: Vault is away, sealed, or in trouble. */
export class VaultAway extends Error {
  override readonly name = 'VaultAway'
}

export interface VaultRequest {
  readonly method: 'GET' | 'POST'
  /** Below `/v1/`. */
  readonly path: string
  readonly token: string | undefined
  readonly body?: Readonly<Record<string, string>>
}

export type JsonObject = Readonly<Record<string, unknown>>

const timeoutMs = 5_000
const answerLimit = 2 * 1024 * 1024

/**
 * One request of Vault's HTTP API. What it answers is shown to nobody but as a status.
 * @throws VaultRefused for 4xx, VaultAway for no answer, 412, 429, 472, 473, 5xx (503 is sealed) and redirects.
 */
export async function askVault(settings: VaultSettings, fetch: Fetch, { method, path, token, body }: VaultRequest): Promise<JsonObject> {
  const { address, namespace, ca } = settings
  const answer = await fetch({
    url: `${address}/v1/${path}`,
    method,
    headers: {
      accept: 'application/json',
      // Vault refuses requests without it where it was told that they may be forged (API, "Request header").
      'x-vault-request': 'true',
      ...(token !== undefined && { 'x-vault-token': token }),
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    timeoutMs,
    limit: answerLimit,
    tls: ca === undefined ? undefined : { ca, certificate: undefined, key: undefined },
  }).catch((error: unknown) => {
    throw new VaultAway(`Vault cannot be reached (${error instanceof Fault ? (error.detail.internal ?? error.code) : 'no answer'})`)
  })
  judge(answer)
  const said = objectIn(answer.text)
  if (said === undefined) throw new VaultAway('Vault did not answer JSON')
  return said
}

/** Of HTTP statuses that are no answer in its API: a replica that waits for others (412), too many requests, standbys (472, 473). */
const passing: ReadonlySet<number> = new Set([412, 429, 472, 473])

function judge({ status, text }: FetchResponse): void {
  if (status === 200) return
  if (status >= 300 && status < 400) throw new VaultAway(`Vault redirects (${status}): this is a standby, VAULT_ADDR must lead to the active node`)
  if (status === 503) throw new VaultAway(/sealed/i.test(text) ? 'Vault is sealed' : 'Vault is not available (503)')
  if (status >= 500 || passing.has(status)) throw new VaultAway(`Vault answered ${status}`)
  const why: Readonly<Record<number, string>> = {
    403: 'Vault denies it (403)',
    404: `Vault has no such secret${isDeleted(text) ? ' any more: this version was deleted' : ''} (404)`,
  }
  throw new VaultRefused(why[status] ?? `Vault answered ${status}`, status)
}

/** KV v2 answers 404 with the metadata of a version that was deleted or destroyed. */
function isDeleted(text: string): boolean {
  const { metadata } = asObject(asObject(objectIn(text)?.['data'])) as { readonly metadata?: unknown }
  return metadata !== undefined
}

function objectIn(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

/** The object, or one without members. */
export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
}
