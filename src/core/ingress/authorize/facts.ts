import type { ExpressionInput } from '../../expression.ts'
import type { Identified } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'

/** What the rules of one request are held against. */
export interface Facts {
  readonly x: Identified
  /** The verified subject; undefined for an anonymous request. */
  readonly subject: Subject | undefined
  /** Wall time, milliseconds: the same for every rule of the request. */
  readonly now: number
  /** Made when the first `when:` asks. */
  readonly expression: () => ExpressionInput
}

export function factsOf(x: Identified, now: number): Facts {
  const subject = x.principal.kind === 'subject' ? x.principal : undefined
  let input: ExpressionInput | undefined
  return { x, subject, now, expression: () => (input ??= inputOf(x, subject, now)) }
}

const noClaims: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null))

function inputOf(x: Identified, subject: Facts['subject'], now: number): ExpressionInput {
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
      kind: x.principal.kind,
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
