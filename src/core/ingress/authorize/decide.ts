import type { Identified } from '../../model/exchange.ts'
import type { FaultCode } from '../../model/fault.ts'
import type { Route } from '../../model/route.ts'
import type { Policy, Rule } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import { type Facts, factsOf } from './facts.ts'
import { type CompiledRule, compileRules, type FailedMatcher, failuresOf, firstLine, holds, indexRules, type RuleBook } from './rules.ts'

/** What was decided about a request, and why. */
export type Decision = Permission | Refusal

export interface Permission extends Recorded {
  readonly outcome: 'permit'
  readonly policy: string
  /** Id of the allow rule, without its policy. */
  readonly rule: string
}

export interface Refusal extends Recorded {
  readonly outcome: 'refusal'
  readonly code: Extract<FaultCode, 'forbidden' | 'policy_error' | 'unauthenticated' | 'scope_insufficient' | 'config_quarantined'>
  /** The rule that refused, or whose scopes are missing; undefined where no rule let the request pass. */
  readonly policy: string | undefined
  readonly rule: string | undefined
  /** The operator's words from that rule. */
  readonly reason: string | undefined
  /** Scopes that would have been enough; empty unless `scope_insufficient`. */
  readonly scopes: readonly string[]
  /** Why a rule could not be evaluated, or what is quarantined. */
  readonly problem: string | undefined
  /** The allow rule that came closest, and the first matcher that kept it from matching. */
  readonly nearest: { readonly policy: string; readonly rule: string; readonly failed: FailedMatcher } | undefined
}

interface Recorded {
  /** `policy/rule` of every audit rule that matched. */
  readonly audited: readonly string[]
  /** Every rule of the route, when asked for. */
  readonly trace: readonly RuleTrace[] | undefined
}

export interface RuleTrace {
  /** `policy/rule` */
  readonly id: string
  readonly effect: Rule['effect']
  readonly mode: Rule['mode']
  readonly matched: boolean
  /** A deny rule about claims, on a request without a credential. */
  readonly skipped: boolean
  readonly failed: FailedMatcher | undefined
}

export interface DecideOptions {
  /** Evaluate and report every rule, also those that could not change the decision. */
  readonly trace?: boolean
}

export type Decide = (x: Identified, options?: DecideOptions) => Decision

interface Access {
  readonly index: ReturnType<typeof indexRules>
  /** Some policy of the route reads a credential: there is something to challenge for. */
  readonly reads: boolean
}

/**
 * Builds the engine behind `authorize`, `explain` and policy tests. Order: every deny rule of all policies of the route (a match
 * denies, an evaluation error denies); then one allow rule is needed (an error is no match); otherwise 401 or 403. Audit rules come
 * last and change nothing. A policy that is missing or quarantined refuses.
 */
export function buildDecide(policy: Policy, ports: Pick<Ports, 'clock'>): Decide {
  const sound = Object.values(policy.access).filter((access) => access.quarantined === undefined)
  const rules = new Map(sound.map((access) => [access.name, compileRules(access)]))
  const known = new Map<Route, Access | string>()
  return (x, options = {}) => {
    const access = known.get(x.route) ?? accessOf(policy, x.route, rules)
    known.set(x.route, access)
    if (typeof access === 'string') return refusal('config_quarantined', { problem: access })
    const facts = factsOf(x, ports.clock.now())
    const book = access.index.forRequest(x)
    const decision = judge(book, access, facts)
    const audited = book.audit.length === 0 ? none : book.audit.filter((rule) => matches(rule, facts)).map((rule) => rule.id)
    const trace = options.trace === true ? traceOf(access.index.all, facts) : undefined
    return { ...decision, audited, trace }
  }
}

const none: readonly string[] = []

/** The rules of a route's policies, or the name of the policy that is not sound. */
function accessOf(policy: Policy, route: Route, rules: ReadonlyMap<string, readonly CompiledRule[]>): Access | string {
  const broken = route.access.find((name) => !rules.has(name))
  if (broken !== undefined) return `access policy ${broken}`
  return {
    index: indexRules(route.access.flatMap((name) => rules.get(name) ?? [])),
    reads: route.access.some((name) => policy.access[name]?.authenticate.kind !== 'none'),
  }
}

function judge(book: RuleBook, access: Access, facts: Facts): Decision {
  const denied = denial(book.deny, facts)
  if (denied !== undefined) return denied
  for (const rule of book.allow) {
    if (matches(rule, facts)) return { outcome: 'permit', policy: rule.policy, rule: rule.rule.id, audited: none, trace: undefined }
  }
  return unmatched(access, facts)
}

/** A clear match says more than an error, so all rules are tried before an error counts. */
function denial(rules: readonly CompiledRule[], facts: Facts): Refusal | undefined {
  let failed: Refusal | undefined
  for (const rule of rules) {
    if (isSkipped(rule, facts)) continue
    const of = { policy: rule.policy, rule: rule.rule.id, reason: rule.rule.reason }
    try {
      if (holds(rule, facts)) return refusal('forbidden', of)
    } catch (error) {
      failed ??= refusal('policy_error', { ...of, reason: undefined, problem: firstLine(error) })
    }
  }
  return failed
}

function isSkipped(rule: CompiledRule, facts: Facts): boolean {
  return rule.needsClaims && rule.rule.effect === 'deny' && facts.subject === undefined
}

/** Allow and audit rules: what cannot be evaluated does not match. */
function matches(rule: CompiledRule, facts: Facts): boolean {
  if (isSkipped(rule, facts)) return false
  try {
    return holds(rule, facts)
  } catch {
    return false
  }
}

/** No rule let the request pass: says what was missing, from the rules that came close. Slower than a permit, on purpose. */
function unmatched(access: Access, facts: Facts): Refusal {
  const misses = access.index.all.allow.map((rule) => ({ rule, failed: failuresOf(rule, facts) }))
  // The sort keeps the order of the files among equals.
  const closest = [...misses].sort((a, b) => a.failed.length - b.failed.length || depth(b) - depth(a))[0]
  const first = closest?.failed[0]
  const nearest = closest === undefined || first === undefined ? undefined : { policy: closest.rule.policy, rule: closest.rule.rule.id, failed: first }
  if (facts.subject === undefined) {
    const forPrincipals = access.reads && misses.some(({ failed }) => failed.every((one) => one.identity))
    return refusal(forPrincipals ? 'unauthenticated' : 'forbidden', { nearest })
  }
  const scoped = misses.find(({ failed }) => failed.length === 1 && failed[0]?.matcher === 'scopes')
  if (scoped === undefined) return refusal('forbidden', { nearest })
  const { policy, rule } = scoped.rule
  return refusal('scope_insufficient', { policy, rule: rule.id, reason: rule.reason, scopes: scopesFor(rule), nearest })
}

/** How far down its parts a rule held. */
function depth({ rule, failed }: { readonly rule: CompiledRule; readonly failed: readonly FailedMatcher[] }): number {
  return rule.parts.findIndex((part) => part.name === failed[0]?.matcher)
}

/** One set of scopes that is enough. */
function scopesFor({ matcher }: Rule): readonly string[] {
  return [...(matcher.scopes?.all ?? []), ...(matcher.scopes?.any.slice(0, 1) ?? [])]
}

function traceOf(book: RuleBook, facts: Facts): readonly RuleTrace[] {
  return [...book.deny, ...book.allow, ...book.audit].map((rule) => {
    const skipped = isSkipped(rule, facts)
    const failed = skipped ? [] : failuresOf(rule, facts)
    return { id: rule.id, effect: rule.rule.effect, mode: rule.rule.mode, matched: !skipped && failed.length === 0, skipped, failed: failed[0] }
  })
}

function refusal(code: Refusal['code'], facts: Partial<Refusal>): Refusal {
  const open = { policy: undefined, rule: undefined, reason: undefined, scopes: none, problem: undefined, nearest: undefined, audited: none, trace: undefined }
  return { ...open, ...facts, outcome: 'refusal', code }
}
