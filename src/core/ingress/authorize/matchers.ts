import { type Certificate, certificateReader, spiffeOf } from '../../certificate.ts'
import { compileExpression, expressionRoots } from '../../expression.ts'
import { claimAt } from '../../model/claims.ts'
import { compilePathTest } from '../../model/template-match.ts'
import { compileCidrs } from '../../net.ts'
import { compileFieldTests, compilePattern, hostMatches, wordsOfField, wordsOfFieldTest } from '../../pattern.ts'
import type { AllAny, ClaimTest, Matcher, RoleTest, Rule } from '../../policy/linked/access.ts'
import { compileSpiffe } from '../../spiffe.ts'
import { type Facts, queryValues } from './facts.ts'
import { compileTimes } from './times.ts'

export type MatcherName =
  | 'methods'
  | 'grpc'
  | 'paths'
  | 'hosts'
  | 'listener'
  | 'cidrs'
  | 'headers'
  | 'times'
  | 'tls'
  | 'principal'
  | 'issuers'
  | 'clients'
  | 'scopes'
  | 'roles'
  | 'acr'
  | 'amr'
  | 'claims'
  | 'when'

/** Read as "`what` must be `expected`, is `actual`". */
export interface Miss {
  readonly what: string
  readonly expected: string
  readonly actual: string
}

/** One compiled part of a rule. */
export interface Part {
  readonly name: MatcherName
  /** It speaks of who asks, so a request without a credential may fit it later. */
  readonly identity: boolean
  /** May throw: the part could not be evaluated. */
  readonly test: (facts: Facts) => boolean
  /** Why it does not hold, in words, for whoever wonders. */
  readonly miss: (facts: Facts) => Miss
}

/**
 * The parts of a rule, cheap and telling ones first. Every part must hold.
 * @throws Error for what the loader should have refused.
 */
export function partsOf(rule: Rule): readonly Part[] {
  const { matcher } = rule
  const candidates = [
    matcher.methods && methods(matcher.methods),
    matcher.grpc && grpc(matcher.grpc),
    matcher.paths && paths(matcher.paths),
    matcher.hosts && hosts(matcher.hosts),
    matcher.listeners && listeners(matcher.listeners),
    principal(rule),
    matcher.issuers && issuers(matcher.issuers),
    matcher.clients && clients(matcher.clients),
    matcher.scopes && scopes(matcher.scopes),
    matcher.roles && roles(matcher.roles),
    matcher.acr && acr(matcher.acr),
    matcher.amr && amr(matcher.amr),
    matcher.cidrs && cidrs(matcher.cidrs),
    matcher.headers && headers(matcher.headers),
    matcher.times && times(matcher.times),
    matcher.tls && tls(matcher.tls),
    matcher.claims && claims(matcher.claims),
    rule.when === undefined ? undefined : when(rule.when),
  ]
  return candidates.filter((part) => part !== undefined)
}

function methods(list: readonly string[]): Part {
  // RFC 9110 section 9.3.2: HEAD is GET without the content.
  const all = new Set(list.includes('GET') ? [...list, 'HEAD'] : list)
  return part(
    'methods',
    ({ x }) => all.has(x.request.method),
    oneOf(list),
    ({ x }) => x.request.method,
  )
}

function grpc(list: readonly string[]): Part {
  const all = new Set(list)
  const test = ({ x }: Facts) => x.rpc !== undefined && (all.has(x.rpc.rpc.path.slice(1)) || all.has(`${x.rpc.rpc.service}/*`))
  return part('grpc', test, oneOf(list), ({ x }) => (x.rpc === undefined ? 'not a gRPC route' : x.rpc.rpc.path.slice(1)))
}

function paths(list: readonly string[]): Part {
  const compiled = list.map(compilePathTest)
  const [only] = compiled
  return part(
    'paths',
    only !== undefined && compiled.length === 1 ? (facts) => only(facts.segments) : (facts) => compiled.some((fits) => fits(facts.segments)),
    oneOf(list),
    ({ x }) => x.request.target.path,
  )
}

function hosts(list: readonly string[]): Part {
  return part(
    'hosts',
    ({ x }) => list.some((pattern) => hostMatches(pattern, x.request.host)),
    oneOf(list),
    ({ x }) => x.request.host,
  )
}

function listeners(list: readonly string[]): Part {
  return part(
    'listener',
    ({ x }) => list.includes(x.listener),
    oneOf(list),
    ({ x }) => x.listener,
  )
}

/** An allow rule is for principals unless it says `anonymous`; other rules are for everybody, or with `anonymous` for the anonymous. */
function principal({ effect, matcher }: Rule): Part | undefined {
  const actual = ({ subject }: Facts) =>
    subject === undefined ? 'no credential' : `${subject.by === 'mtls' ? 'a certificate' : 'a token'} of ${subject.issuer}`
  if (effect === 'allow') return matcher.anonymous ? undefined : identity('principal', ({ subject }) => subject !== undefined, 'a credential', actual)
  return matcher.anonymous ? identity('principal', ({ subject }) => subject === undefined, 'no credential', actual) : undefined
}

function issuers(list: readonly string[]): Part {
  const test = ({ subject }: Facts) => subject !== undefined && list.includes(subject.issuer)
  return identity('issuers', test, oneOf(list), ({ subject }) => subject?.issuer ?? 'no credential')
}

function clients(list: readonly string[]): Part {
  const test = ({ subject }: Facts) => subject?.clientId !== undefined && list.includes(subject.clientId)
  return identity('clients', test, oneOf(list), ({ subject }) => subject?.clientId ?? 'no client')
}

function scopes({ all, any }: NonNullable<Matcher['scopes']>): Part {
  const test = ({ subject }: Facts) =>
    subject !== undefined && all.every((scope) => subject.scopes.has(scope)) && (any.length === 0 || any.some((scope) => subject.scopes.has(scope)))
  return identity('scopes', test, wordsOfAllAny({ all, any }), ({ subject }) =>
    subject === undefined || subject.scopes.size === 0 ? 'no scope' : [...subject.scopes].join(', '),
  )
}

function wordsOfAllAny({ all, any }: AllAny): string {
  return [all.length > 0 ? `all of ${all.join(', ')}` : '', any.length > 0 ? `one of ${any.join(', ')}` : ''].filter((text) => text !== '').join(' and ')
}

function roles({ claim: path, all, any }: RoleTest): Part {
  return texts('roles', path, all, any, true)
}

/** RFC 8176: a list of texts, and nothing else. */
function amr({ all, any }: AllAny): Part {
  return texts('amr', 'amr', all, any, false)
}

/** A claim that is a list of texts, or one text where that counts as a list of one. Another type never fits. */
function texts(name: MatcherName, path: string, all: readonly string[], any: readonly string[], oneText: boolean): Part {
  const read = ({ subject }: Facts): readonly unknown[] | undefined => {
    const value = subject === undefined ? undefined : claimAt(subject.claims, path)
    return Array.isArray(value) ? value : oneText && typeof value === 'string' ? [value] : undefined
  }
  const test = (facts: Facts) => {
    const held = read(facts)
    return held !== undefined && all.every((one) => held.includes(one)) && (any.length === 0 || any.some((one) => held.includes(one)))
  }
  return identity(name, test, wordsOfAllAny({ all, any }), ({ subject }) => {
    if (subject === undefined) return 'no credential'
    const value = claimAt(subject.claims, path)
    const fit = Array.isArray(value) ? value.every((item) => typeof item === 'string') : oneText && typeof value === 'string'
    return fit || value === undefined ? shown(value) : `${shown(value)}, ${typeWord(value)} and not a list of texts`
  })
}

/** One text (OpenID Connect Core section 2). */
function acr(list: readonly string[]): Part {
  const test = ({ subject }: Facts) => {
    const value = subject === undefined ? undefined : claimAt(subject.claims, 'acr')
    return typeof value === 'string' && list.includes(value)
  }
  return identity('acr', test, oneOf(list), ({ subject }) => {
    if (subject === undefined) return 'no credential'
    const value = claimAt(subject.claims, 'acr')
    return typeof value === 'string' || value === undefined ? shown(value) : `${shown(value)}, ${typeWord(value)} and not a text`
  })
}

function cidrs(list: readonly string[]): Part {
  const inside = compileCidrs(list)
  return part(
    'cidrs',
    ({ x }) => inside(x.client.address),
    `an address in ${list.join(', ')}`,
    ({ x }) => x.client.address,
  )
}

function headers(tests: NonNullable<Matcher['headers']>): Part {
  const compiled = tests.map((one) => ({ one, holds: compileFieldTests([one]) }))
  const reader =
    ({ x }: Facts) =>
    (name: string) =>
      x.request.headers.all(name)
  // The first that fails speaks for all.
  const miss = (facts: Facts): Miss => {
    const get = reader(facts)
    const misses = compiled.flatMap(({ one, holds }) =>
      holds(get) ? [] : [{ what: `header ${one.name}`, expected: wordsOfFieldTest(one), actual: wordsOfField(get(one.name)) }],
    )
    return misses[0] ?? { what: 'headers', expected: 'others', actual: 'these' }
  }
  return { name: 'headers', identity: false, test: (facts) => compiled.every(({ holds }) => holds(reader(facts))), miss }
}

function times(windows: NonNullable<Matcher['times']>): Part {
  const open = compileTimes(windows)
  const words = windows.map(({ days, from, to, zone }) => `${clock(from)} to ${clock(to)} ${zone}${days.length === 0 ? '' : ` on days ${days.join(',')}`}`)
  return part(
    'times',
    ({ now }) => open(now),
    words.join(' or '),
    ({ now }) => `${Math.floor(now / 1000)} seconds since the epoch`,
  )
}

/** What the connection's own certificate says, whoever the principal is. One that cannot be read must not look like none. */
function tls({ spiffe, dns, uri }: NonNullable<Matcher['tls']>): Part {
  const read = certificateReader()
  const certificateOf = ({ x }: Facts): Certificate | undefined => {
    const certificate = x.client.certificate === undefined ? undefined : read(x.client.certificate)
    if (certificate !== undefined && 'problem' in certificate) throw new Error(`the client certificate cannot be read: ${certificate.problem}`)
    return certificate
  }
  const isSpiffe = spiffe === undefined ? undefined : compileSpiffe(spiffe)
  const uris = uri?.map(compilePattern)
  const test = (facts: Facts) => {
    const certificate = certificateOf(facts)
    if (certificate === undefined) return false
    if (isSpiffe !== undefined && !spiffeIds(certificate).some(isSpiffe)) return false
    if (dns !== undefined && !certificate.san.dns.some((name) => dns.some((pattern) => hostMatches(pattern, name.toLowerCase())))) return false
    return uris === undefined || certificate.san.uri.some((name) => uris.some((pattern) => pattern(name)))
  }
  const expected = [spiffe, dns, uri].flatMap((list) => (list === undefined ? [] : [oneOf(list)])).join(' and ')
  return part('tls', test, expected, (facts) => {
    const certificate = facts.x.client.certificate === undefined ? undefined : read(facts.x.client.certificate)
    if (certificate === undefined || 'problem' in certificate) return 'no client certificate'
    return [...certificate.san.uri, ...certificate.san.dns].join(', ') || 'a certificate without such names'
  })
}

function spiffeIds(certificate: Certificate): readonly string[] {
  const spiffe = spiffeOf(certificate)
  return 'problem' in spiffe ? [] : [spiffe.id]
}

function clock(minutes: number): string {
  const two = (value: number) => `${value}`.padStart(2, '0')
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

function claims(tests: readonly ClaimTest[]): Part {
  const compiled = tests.map(claim)
  const test = (facts: Facts) => facts.subject !== undefined && compiled.every((one) => one(facts))
  const expected = tests.map((one) => `${one.path} ${wordsOf(one)}`).join(' and ')
  return identity('claims', test, expected, ({ subject }) =>
    subject === undefined ? 'no credential' : tests.map((one) => `${one.path} is ${shownFor(one, claimAt(subject.claims, one.path))}`).join(', '),
  )
}

function wordsOf(test: ClaimTest): string {
  if (test.kind === 'in') return oneOf(test.values.map((value) => JSON.stringify(value)))
  return test.kind === 'present' ? 'present' : `equal to ${test.attribute}`
}

function claim(test: ClaimTest): (facts: Facts) => boolean {
  const value = ({ subject }: Facts) => (subject === undefined ? undefined : claimAt(subject.claims, test.path))
  switch (test.kind) {
    case 'present':
      return (facts) => value(facts) !== undefined && value(facts) !== null
    case 'in': {
      const wanted = new Set<unknown>(test.values)
      return (facts) => holdsOne(value(facts), wanted)
    }
    case 'equals': {
      const attribute = attributeOf(test.attribute)
      return (facts) => {
        const left = value(facts)
        const right = attribute(facts)
        return left !== undefined && left !== null && typeof left !== 'object' && left === right
      }
    }
    default:
      return test satisfies never
  }
}

/** The claim is one of the values, or a list that holds one. Text is never split, and types never mix: "1" is not 1. */
function holdsOne(claimed: unknown, wanted: ReadonlySet<unknown>): boolean {
  return Array.isArray(claimed) ? claimed.some((item) => wanted.has(item)) : wanted.has(claimed)
}

/** Another fact of the request by its name. @throws Error for a name that says nothing, and at run time where the fact is ambiguous. */
function attributeOf(name: string): (facts: Facts) => unknown {
  if (name === 'host') return ({ x }) => x.request.host
  const dot = name.indexOf('.')
  const rest = name.slice(dot + 1)
  switch (dot < 0 ? '' : name.slice(0, dot)) {
    case 'path':
      return ({ x }) => variable(x.params, rest)
    case 'header':
      return ({ x }) => only(x.request.headers.all(rest), name)
    case 'query':
      return ({ x }) => only(queryValues(x.request.target.query, rest), name)
    case 'claim':
      return ({ subject }) => (subject === undefined ? undefined : claimAt(subject.claims, rest))
    default:
      throw new Error(`"${name}" names no fact of a request`)
  }
}

/** A variable that the route's template does not have is a mistake in the policies, and must not look like a difference. */
function variable(params: Readonly<Record<string, string>>, name: string): string {
  const value = Object.hasOwn(params, name) ? params[name] : undefined
  if (value === undefined) throw new Error(`the path has no variable "${name}"`)
  return value
}

function only(values: readonly string[], name: string): string | undefined {
  if (values.length > 1) throw new Error(`${name} is given more than once`)
  return values[0]
}

function when(source: string): Part {
  const evaluate = compileExpression(source)
  const roots = expressionRoots(source)
  const test = (facts: Facts) => evaluate(facts.expression)
  const actual = () => 'false'
  return roots.has('claims') || roots.has('principal') ? identity('when', test, source, actual) : part('when', test, source, actual)
}

function part(name: MatcherName, test: Part['test'], expected: string, actual: (facts: Facts) => string): Part {
  return { name, identity: false, test, miss: (facts) => ({ what: name, expected, actual: actual(facts) }) }
}

function identity(name: MatcherName, test: Part['test'], expected: string, actual: (facts: Facts) => string): Part {
  return { ...part(name, test, expected, actual), identity: true }
}

function oneOf(list: readonly string[]): string {
  return list.length === 1 ? (list[0] ?? '') : `one of ${list.join(', ')}`
}

/** The value, and its type where no value of that type could ever fit. */
function shownFor(test: ClaimTest, value: unknown): string {
  if (test.kind === 'present' || value === undefined) return shown(value)
  const wanted = test.kind === 'in' ? new Set(test.values.map((one) => typeof one)) : undefined
  const held = test.kind === 'in' && Array.isArray(value) ? value : [value]
  const hopeless = held.every((item) => (wanted === undefined ? typeof item === 'object' : !wanted.has(typeof item as 'string')))
  return hopeless && held.length > 0 ? `${shown(value)}, which is ${typeWord(value)}` : shown(value)
}

function typeWord(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  return typeof value === 'object' ? 'a mapping' : typeof value === 'string' ? 'a text' : `a ${typeof value}`
}

/** A value cut to a bearable length. */
function shown(value: unknown): string {
  if (value === undefined) return 'absent'
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
