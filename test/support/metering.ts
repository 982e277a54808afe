import type { Metered, Permitted } from '../../src/core/model/exchange.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import { anonymous, type Principal, type Subject } from '../../src/core/model/principal.ts'
import type { Limit, LimitKeyPart } from '../../src/core/policy/linked/limits.ts'

/** A principal of issuer `main`. */
export function subject(name: string, claims: Readonly<Record<string, unknown>> = {}): Subject {
  return { kind: 'subject', by: 'jwt', issuer: 'main', subject: name, clientId: undefined, scopes: new Set(), claims }
}

export interface PermittedOptions {
  readonly route?: string
  readonly principal?: Principal
  readonly headers?: readonly (readonly [string, string])[]
  readonly address?: string
  readonly network?: string
  readonly host?: string
  readonly method?: string
  readonly rpc?: string
}

/** A permitted request, with the slots that limit and steer read: anonymous, from 192.0.2.1, on route `orders`. */
export function permitted(options: PermittedOptions = {}): Permitted {
  const { route = 'orders', principal = anonymous, headers = [], address = '192.0.2.1', host = 'api.example.com' } = options
  const slots = {
    lifeline: new Lifeline(),
    route: { name: route },
    principal,
    request: { host, headers: new FieldList(headers), method: options.method ?? 'GET' },
    rpc: options.rpc === undefined ? undefined : { rpc: { method: options.rpc } },
    client: { address, network: options.network ?? `${address}/32`, certificate: undefined },
  }
  return slots as unknown as Permitted // the other slots belong to other rooms
}

/** The same after `limit`. */
export function metered(options: PermittedOptions = {}): Metered {
  return Object.assign(permitted(options), { readings: [] })
}

/** A limit of 3 per minute and client address; what is given takes its place. */
export function limitOf(name: string, given: Partial<Limit> = {}): Limit {
  const key: readonly LimitKeyPart[] = [{ kind: 'client.address' }]
  return {
    name,
    algorithm: { kind: 'sliding' },
    points: 3,
    windowMs: 60_000,
    burst: 0,
    key,
    missing: 'shared',
    onStoreFailure: 'local',
    mode: 'enforce',
    ...given,
  }
}
