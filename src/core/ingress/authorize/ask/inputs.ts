import { claimAt } from '../../../model/claims.ts'
import type { Identified } from '../../../model/exchange.ts'
import type { DeciderPart } from '../../../policy/linked/deciders.ts'

/** What a decision point is told of one request: what is declared, and what is there. */
export interface Inputs {
  /** The request's own id, for the point's records; no answer may depend on it. */
  readonly id: string
  readonly scheme: string
  readonly method?: string
  readonly path?: string
  /** Without its `?`. */
  readonly query?: string
  /** With its port. */
  readonly host?: string
  readonly route?: string
  /** `package.Service/Method` */
  readonly rpc?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly address?: string
  /** The whole Authorization header. */
  readonly token?: string
  readonly principal?: PrincipalInputs
  readonly headers: Readonly<Record<string, string>>
}

export interface PrincipalInputs {
  readonly kind: 'anonymous' | 'subject'
  readonly issuer?: string
  readonly subject?: string
  readonly clientId?: string
  readonly scopes?: readonly string[]
  readonly claims?: Readonly<Record<string, unknown>>
}

/** Gathers the declared facts. A header that came several times is one text joined by commas (RFC 9110 section 5.3), so that none hides. */
export function inputsOf(x: Identified, parts: readonly DeciderPart[]): Inputs {
  const inputs: Record<string, unknown> = { id: x.id, scheme: x.request.scheme }
  const headers: Record<string, string> = Object.create(null)
  const claims: Record<string, unknown> = Object.create(null)
  const principal: Record<string, unknown> = { kind: x.principal.kind === 'subject' ? 'subject' : 'anonymous' }
  let tellsWho = false
  for (const part of parts) {
    const value = valueOf(x, part)
    const isWho = part.kind === 'claim' || isPrincipalPart(part.kind)
    tellsWho ||= isWho
    if (value === undefined) continue
    if (part.kind === 'header') headers[part.name] = joined(x, part.name) ?? ''
    else if (part.kind === 'claim') claims[part.path] = value
    else if (isWho) principal[part.kind] = value
    else inputs[part.kind === 'client.address' ? 'address' : part.kind] = value
  }
  if (Object.keys(claims).length > 0) principal['claims'] = claims
  // Each member was set from the part of its name, whose type `valueOf` fixes.
  return { ...inputs, headers, ...(tellsWho ? { principal } : {}) } as unknown as Inputs
}

/**
 * The text that answers are remembered by: every part length-prefixed, so that no two lists of facts make the same text; a missing one
 * is `-`. Who is told apart by name belongs to an issuer, so the issuer is always part of it.
 */
export function keyText(x: Identified, parts: readonly DeciderPart[]): string {
  const who = parts.some(({ kind }) => kind === 'claim' || isPrincipalPart(kind))
    ? [prefixed(x.principal.kind === 'subject' ? x.principal.issuer : undefined)]
    : []
  return [...who, ...parts.map((part) => prefixed(valueOf(x, part)))].join('')
}

function prefixed(value: unknown): string {
  if (value === undefined) return '-'
  const text = JSON.stringify(value)
  return `${text.length}:${text}`
}

function isPrincipalPart(kind: DeciderPart['kind']): boolean {
  return kind === 'issuer' || kind === 'subject' || kind === 'clientId' || kind === 'scopes'
}

type PlainKind = Exclude<DeciderPart['kind'], 'claim' | 'header'>

const plain: Readonly<Record<PlainKind, (x: Identified) => unknown>> = {
  method: (x) => x.request.method,
  path: (x) => x.request.target.path,
  query: (x) => x.request.target.query,
  host: (x) => x.request.authority,
  route: (x) => x.route.name,
  rpc: (x) => x.rpc?.rpc.path.slice(1),
  params: (x) => ({ ...x.params }),
  'client.address': (x) => x.client.address,
  token: (x) => joined(x, 'authorization'),
  issuer: (x) => (x.principal.kind === 'subject' ? x.principal.issuer : undefined),
  subject: (x) => (x.principal.kind === 'subject' ? x.principal.subject : undefined),
  clientId: (x) => (x.principal.kind === 'subject' ? x.principal.clientId : undefined),
  scopes: (x) => (x.principal.kind === 'subject' ? [...x.principal.scopes].sort() : undefined),
}

function valueOf(x: Identified, part: DeciderPart): unknown {
  if (part.kind === 'header') return joined(x, part.name)
  if (part.kind === 'claim') return x.principal.kind === 'subject' ? claimAt(x.principal.claims, part.path) : undefined
  return plain[part.kind](x)
}

function joined({ request }: Identified, name: string): string | undefined {
  const values = request.headers.all(name)
  return values.length === 0 ? undefined : values.join(name === 'cookie' ? '; ' : ', ')
}
