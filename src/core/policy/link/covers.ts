import { isTemplateError, parseTemplate, type Template } from '../../model/template.ts'
import type { AllAny, ClaimTest, Matcher, Rule } from '../policy.ts'
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

function coversAll(wide: Matcher, narrow: Matcher): boolean {
  return (
    given(wide.methods, narrow.methods, (w, n) => withHead(n).isSubsetOf(withHead(w))) &&
    given(wide.grpc, narrow.grpc, (w, n) => every(n, w, (one, other) => one === other || (other.endsWith('/*') && one.startsWith(other.slice(0, -1))))) &&
    given(wide.paths, narrow.paths, (w, n) => every(n, w, coversPath)) &&
    given(wide.hosts, narrow.hosts, (w, n) => every(n, w, coversHost)) &&
    given(wide.issuers, narrow.issuers, within) &&
    given(wide.clients, narrow.clients, within) &&
    given(wide.acr, narrow.acr, within) &&
    given(wide.listeners, narrow.listeners, within) &&
    given(wide.cidrs, narrow.cidrs, within) &&
    given(wide.scopes, narrow.scopes, coversTexts) &&
    given(wide.amr, narrow.amr, coversTexts) &&
    given(wide.roles, narrow.roles, (w, n) => w.claim === n.claim && coversTexts(w, n)) &&
    given(wide.claims, narrow.claims, (w, n) => w.every((test) => n.some((other) => coversClaim(test, other)))) &&
    given(wide.headers, narrow.headers, (w, n) => implies(n, w)) &&
    given(wide.times, narrow.times, (w, n) => every(n, w, (one, other) => JSON.stringify(one) === JSON.stringify(other)))
  )
}

/** What does not restrict covers everything; what restricts covers nothing that does not. */
function given<T>(wide: T | undefined, narrow: T | undefined, covers: (wide: T, narrow: T) => boolean): boolean {
  return wide === undefined || (narrow !== undefined && covers(wide, narrow))
}

function every(narrow: readonly string[], wide: readonly string[], covers: (one: string, other: string) => boolean): boolean
function every<T>(narrow: readonly T[], wide: readonly T[], covers: (one: T, other: T) => boolean): boolean
function every<T>(narrow: readonly T[], wide: readonly T[], covers: (one: T, other: T) => boolean): boolean {
  return narrow.every((one) => wide.some((other) => covers(one, other)))
}

function within(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((one) => wide.includes(one))
}

function coversTexts(wide: AllAny, narrow: AllAny): boolean {
  if (!within(narrow.all, wide.all)) return false
  return wide.any.length === 0 || wide.any.some((one) => narrow.all.includes(one)) || (narrow.any.length > 0 && within(wide.any, narrow.any))
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
