import { isTemplateError, parseTemplate, type Template } from '../../model/template.ts'
import type { AllAny, ClaimTest, Matcher, Rule, TlsTest } from '../linked/access.ts'
import { implies, withHead } from './takes.ts'

/*
 * Whether one rule fits every request that another fits. Each matcher is compared on its own, so that "yes" is certain and "no" may only
 * mean that it cannot be seen.
 */

/** Whether `wide`, an allow rule, lets pass whatever `narrow`, an allow rule, lets pass. */
export function allowCovers(wide: Rule, narrow: Rule): boolean {
  const forSubject = wide.matcher.anonymous || needsSubject(narrow)
  return forSubject && (wide.when === undefined || wide.when === narrow.when) && coversAll(wide.matcher, narrow.matcher)
}

/** Whether `deny` refuses whatever `allow` would let pass. A condition that reads claims is skipped without a credential. */
export function denyCovers(deny: Rule, allow: Rule): boolean {
  if (deny.matcher.anonymous) return false
  const condition = deny.when === undefined || (deny.when === allow.when && needsSubject(allow))
  return condition && coversAll(deny.matcher, allow.matcher)
}

/** Whether an allow rule fits only who is known. */
function needsSubject({ matcher }: Rule): boolean {
  return !matcher.anonymous || asksWho(matcher)
}

/** Whether a matcher asks for what only a principal has. */
export function asksWho({ issuers, scopes, claims, clients, roles, acr, amr }: Matcher): boolean {
  return [issuers, scopes, claims, clients, roles, acr, amr].some((one) => one !== undefined)
}

type Restricting = Exclude<keyof Matcher, 'anonymous'>

type Given = { readonly [K in Restricting]-?: NonNullable<Matcher[K]> }
type Asked = { readonly [K in keyof Given]?: Given[K] | undefined }
type Comparisons = { readonly [K in keyof Given]: (wide: Given[K], narrow: Given[K]) => boolean }

/** One for every member of a matcher: a new one that nobody compares would be taken for no restriction, so it does not compile. */
const comparisons: Comparisons = {
  methods: (wide, narrow) => withHead(narrow).isSubsetOf(withHead(wide)),
  grpc: (wide, narrow) => every(narrow, wide, (one, other) => one === other || (other.endsWith('/*') && one.startsWith(other.slice(0, -1)))),
  paths: (wide, narrow) => every(narrow, wide, coversPath),
  hosts: (wide, narrow) => every(narrow, wide, coversHost),
  issuers: within,
  clients: within,
  acr: within,
  listeners: within,
  cidrs: within,
  scopes: coversTexts,
  amr: coversTexts,
  roles: (wide, narrow) => wide.claim === narrow.claim && coversTexts(wide, narrow),
  claims: (wide, narrow) => wide.every((test) => narrow.some((other) => coversClaim(test, other))),
  headers: (wide, narrow) => implies(narrow, wide),
  tls: coversNames,
  times: (wide, narrow) => every(narrow, wide, (one, other) => JSON.stringify(one) === JSON.stringify(other)),
}
const restricting = Object.keys(comparisons) as readonly Restricting[] // the keys of that very record

function coversAll(wide: Matcher, narrow: Matcher): boolean {
  return restricting.every((name) => covers(name, wide, narrow))
}

/** What does not restrict covers everything; what restricts covers nothing that does not. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- K ties the two values to their comparison
function covers<K extends keyof Given>(name: K, wide: Asked, narrow: Asked): boolean {
  const asked = wide[name]
  const given = narrow[name]
  return asked === undefined || (given !== undefined && comparisons[name](asked, given))
}

function every<T>(narrow: readonly T[], wide: readonly T[], isCovered: (one: T, other: T) => boolean): boolean {
  return narrow.every((one) => wide.some((other) => isCovered(one, other)))
}

function within(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((one) => wide.includes(one))
}

function coversTexts(wide: AllAny, narrow: AllAny): boolean {
  if (!within(narrow.all, wide.all)) return false
  return wide.any.length === 0 || wide.any.some((one) => narrow.all.includes(one)) || (narrow.any.length > 0 && within(wide.any, narrow.any))
}

function coversNames(wide: TlsTest, narrow: TlsTest): boolean {
  const names = ['spiffe', 'dns', 'uri'] as const
  return names.every((name) => wide[name] === undefined || (narrow[name] !== undefined && within(wide[name], narrow[name])))
}

function coversClaim(wide: ClaimTest, narrow: ClaimTest): boolean {
  if (wide.path !== narrow.path) return false
  if (wide.kind === 'present') return true
  if (wide.kind === 'equals') return narrow.kind === 'equals' && narrow.attribute === wide.attribute
  return narrow.kind === 'in' && narrow.values.every((value) => wide.values.includes(value))
}

function coversHost(one: string, other: string): boolean {
  return one === other || (other.startsWith('*.') && !one.startsWith('*.') && one.slice(one.indexOf('.')) === other.slice(1))
}

const parsed = new Map<string, Template | undefined>()

/** A few thousand templates are remembered: each is compared with many. */
function templateOf(source: string): Template | undefined {
  if (parsed.has(source)) return parsed.get(source)
  const template = parseTemplate(source)
  if (parsed.size > 5000) parsed.clear()
  const known = isTemplateError(template) ? undefined : template
  parsed.set(source, known)
  return known
}

function coversPath(one: string, other: string): boolean {
  if (one === other) return true
  const [narrow, wide] = [templateOf(one), templateOf(other)]
  if (narrow === undefined || wide === undefined || narrow.verb !== wide.verb) return false
  for (let i = 0; ; i++) {
    const [mine, theirs] = [narrow.segments[i], wide.segments[i]]
    if (theirs?.kind === 'rest') return true
    if (mine === undefined || theirs === undefined) return mine === theirs
    if (mine.kind === 'rest') return false
    if (theirs.kind === 'literal' && (mine.kind !== 'literal' || mine.text !== theirs.text)) return false
  }
}
