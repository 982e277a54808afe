import { claimAt } from '../../model/claims.ts'
import type { Introduced } from '../../model/exchange.ts'
import { traceparentOf } from '../../model/trace.ts'
import { normalizeAddress } from '../../net.ts'

type Field = readonly [name: string, value: string]

/** Fields that the gateway writes on every call; what a request brought under these names never passes as it is. */
const written: ReadonlySet<string> = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-request-id', 'traceparent', 'tracestate'])

/**
 * Whether a field of the request must not reach the upstream under its own name: the gateway writes it, it carries the
 * downstream's credential, or the route makes it from a claim. Whatever stands between letters and digits counts as one `-`,
 * and a field with the prefix `grpc-metadata-` as what a JSON front of gRPC services behind the gateway would make of it.
 */
export function buildWithheld(x: Pick<Introduced, 'route'>): (name: string) => boolean {
  const { claims: made, introduce } = x.route.handOn
  const claims = new Set(made.map(({ header }) => folded(header)))
  if (introduce !== undefined) claims.add(folded(introduce.header))
  return (name) => {
    const meant = folded(name).replace(/^(?:grpc-metadata-)+/, '')
    return meant === 'authorization' || meant === 'dpop' || written.has(meant) || claims.has(meant)
  }
}

/** The name as upstreams that turn fields into variables would see it. */
export function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}

/** What the upstream is told about the request on every route, whatever it speaks. */
export function handedOn(x: Introduced): readonly Field[] {
  const { headers, scheme, authority } = x.request
  const fields: Field[] = [
    ['x-forwarded-for', [...headers.all('x-forwarded-for'), normalizeAddress(x.arrival.peer.address)].join(', ')],
    ['x-forwarded-proto', headers.get('x-forwarded-proto') ?? scheme],
    ['x-forwarded-host', headers.get('x-forwarded-host') ?? authority],
    ['x-request-id', x.id],
    ['traceparent', traceparentOf(x.trace)],
  ]
  if (x.trace.tracestate !== '') fields.push(['tracestate', x.trace.tracestate])
  return [...fields, ...token(x), ...introduction(x), ...claimFields(x), ...(x.given ?? [])]
}

function token(x: Introduced): readonly Field[] {
  if (!x.route.handOn.token) return []
  return ['authorization', 'dpop'].flatMap((name) => x.request.headers.all(name).map((value): Field => [name, value]))
}

function introduction({ introduction: made }: Introduced): readonly Field[] {
  return made === undefined ? [] : [[made.header, made.value]]
}

/**
 * One field per claim that the principal has. A list becomes its members joined by commas; in every value the percent sign, the
 * comma, blanks and whatever is not printable ASCII are percent-encoded (UTF-8), so that a list splits in one way only.
 * Objects are not handed on.
 */
function claimFields(x: Introduced): readonly Field[] {
  const { principal } = x
  if (principal.kind !== 'subject') return []
  return x.route.handOn.claims.flatMap(({ header, claim }) => {
    const value = claimText(claimAt(principal.claims, claim))
    return value === undefined ? [] : [[header.toLowerCase(), value] as const]
  })
}

function claimText(claim: unknown): string | undefined {
  if (!Array.isArray(claim)) return scalarText(claim)
  const texts = claim.map(scalarText)
  return texts.includes(undefined) ? undefined : texts.join(',')
}

function scalarText(claim: unknown): string | undefined {
  if (typeof claim !== 'string' && typeof claim !== 'number' && typeof claim !== 'boolean') return undefined
  return String(claim)
    .toWellFormed()
    .replaceAll(/[^\x21-\x7e]|[%,]/gu, encodeURIComponent)
}
