import type { ExpressionInput } from '../../expression.ts'
import type { Identified, Matched } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import { segmentsOfPath } from '../../model/template-match.ts'

/** A request whose rules are asked for; before `identify` it has no principal. */
export type Asked = Matched & Partial<Pick<Identified, 'principal'>>

/** What the rules of one request are held against. What costs something is made when the first rule asks for it. */
export class Facts {
  readonly x: Asked
  /** The verified subject; undefined for an anonymous request, and before anybody was identified. */
  readonly subject: Subject | undefined
  /** Wall time, milliseconds: the same for every rule of the request. */
  readonly now: number
  #segments: readonly string[] | undefined
  #input: ExpressionInput | undefined

  constructor(x: Asked, now: number) {
    this.x = x
    this.subject = x.principal?.kind === 'subject' ? x.principal : undefined
    this.now = now
  }

  /** Segments of the canonical path. */
  get segments(): readonly string[] {
    return (this.#segments ??= segmentsOfPath(this.x.request.target.path))
  }

  get expression(): ExpressionInput {
    return (this.#input ??= inputOf(this.x, this.subject, this.now))
  }
}

const noClaims: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null))

function inputOf(x: Asked, subject: Facts['subject'], now: number): ExpressionInput {
  const { method, host, target, headers } = x.request
  return {
    request: {
      method,
      path: target.path,
      host,
      rpc: x.rpc === undefined ? '' : x.rpc.rpc.path.slice(1),
      params: x.params,
      get headers() {
        return single(headers.entries())
      },
      get query() {
        return single(queryPairs(target.query))
      },
    },
    claims: subject?.claims ?? noClaims,
    principal: {
      kind: subject === undefined ? 'anonymous' : 'subject',
      issuer: subject?.issuer ?? '',
      subject: subject?.subject ?? '',
      clientId: subject?.clientId ?? '',
      scopes: subject === undefined ? [] : [...subject.scopes],
    },
    client: { address: x.client.address, network: x.client.network },
    now: Math.floor(now / 1000),
  }
}

/**
 * Names to their one value. A repeated name is an error when it is read: whichever value a rule picked, the upstream could pick
 * another.
 */
function single(pairs: Iterable<readonly [name: string, value: string]>): Readonly<Record<string, string>> {
  const values: Record<string, string> = Object.create(null)
  const seen = new Set<string>()
  for (const [name, value] of pairs) {
    if (seen.has(name)) Object.defineProperty(values, name, { enumerable: true, configurable: true, get: () => throwRepeated(name) })
    else values[name] = value
    seen.add(name)
  }
  return values
}

function throwRepeated(name: string): never {
  throw new Error(`"${name}" is given more than once`)
}

/** The values of one query parameter, decoded as forms are (WHATWG URL section 5.1). */
export function queryValues(query: string, name: string): readonly string[] {
  return queryPairs(query).flatMap(([key, value]) => (key === name ? [value] : []))
}

function queryPairs(query: string): (readonly [name: string, value: string])[] {
  return query === '' ? [] : [...new URLSearchParams(query)]
}
