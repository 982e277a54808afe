import type { Identified, Matched } from '../../model/exchange.ts'
import type { FaultCode } from '../../model/fault.ts'
import type { Route } from '../../model/route.ts'
import type { Rule } from '../../policy/linked/access.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import type { CompiledRule, Phase } from './compiled-rule.ts'
import { Facts } from './facts.ts'
import type { Part } from './matchers.ts'
import { compileRules, type FailedMatcher, failureOf, firstLine, holds, indexRules, missesOf, type RuleBook, type RuleIndex } from './rules.ts'

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
  /** Where it was refused: by a deny rule before or after somebody was identified, or because no allow rule let it pass. */
  readonly phase: Exclude<Phase, 'audit'>
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
  readonly phase: Phase
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

export interface Decide {
  /** Everything that was not decided by `screen`. */
  (x: Identified, options?: DecideOptions): Decision
  /**
   * The deny rules that need no principal, before anybody is identified: no token is verified for a request that they refuse. A request
   * that passes is marked with the time, and decided on by that time.
   */
  screen(x: Matched, options?: DecideOptions): Refusal | undefined
}

interface Access {
  readonly index: RuleIndex
  /** Some policy of the route reads a credential: there is something to challenge for. */
  readonly reads: boolean
}

/**
 * Builds the engine behind `authorize`, `explain` and policy tests. Order: the deny rules of all policies of the route, those that look
 * at network and request alone before anybody is identified (a match denies, an evaluation error denies); then one allow rule is needed
 * (an error is no match); otherwise 401 or 403. Audit rules come last and change nothing. A policy that is missing or quarantined refuses.
 */
export function buildDecide(policy: Policy, ports: Pick<Ports, 'clock'>): Decide {
  const accessOf = buildAccess(policy)
  const decide = (x: Identified, options: DecideOptions = {}): Decision => {
    const access = accessOf(x.route)
    if (typeof access === 'string') return refusal('config_quarantined', { problem: access })
    const facts = new Facts(x, x.screenedAt ?? ports.clock.now())
    const segments = () => facts.segments
    const rules = access.index.forRequest(x)
    const screened = x.screenedAt === undefined ? denial('screen', rules.screen(x, segments), facts) : undefined
    const decision = screened ?? denial('deny', rules.deny(x, segments), facts) ?? permission(rules.allow(x, segments), access, facts)
    return { ...decision, ...noted(rules.audit(x, segments), access.index, facts, options) }
  }
  const screen = (x: Matched, options: DecideOptions = {}): Refusal | undefined => {
    const access = accessOf(x.route)
    if (typeof access === 'string') return refusal('config_quarantined', { problem: access })
    if (access.index.all.screen.length === 0) return undefined
    const facts = new Facts(x, ports.clock.now())
    const segments = () => facts.segments
    const rules = access.index.forRequest(x)
    const denied = denial('screen', rules.screen(x, segments), facts)
    if (denied === undefined) Object.assign(x, { screenedAt: facts.now })
    // Rules about who asks cannot be noted: nobody knows yet.
    return denied && { ...denied, ...noted(rules.audit(x, segments).filter(isAnonymous), access.index, facts, options, isAnonymous) }
  }
  return Object.assign(decide, { screen })
}

const none: readonly string[] = []

function isAnonymous({ identity }: CompiledRule): boolean {
  return !identity
}

function noted(audit: readonly CompiledRule[], index: RuleIndex, facts: Facts, { trace }: DecideOptions, only?: (rule: CompiledRule) => boolean): Recorded {
  const audited = audit.length === 0 ? none : audit.filter((rule) => matches(rule, facts)).map((rule) => rule.id)
  return { audited, trace: trace === true ? traceOf(index.all, facts, only) : undefined }
}

/** Routes with the same policies share one index. */
function buildAccess(policy: Policy): (route: Route) => Access | string {
  const sound = Object.values(policy.access).filter((access) => access.quarantined === undefined)
  const rules = new Map(sound.map((access) => [access.name, compileRules(access)]))
  const byPolicies = new Map<string, Access | string>()
  const byRoute = new Map<Route, Access | string>()
  return (route) => {
    const before = byRoute.get(route)
    if (before !== undefined) return before
    const key = JSON.stringify(route.access)
    const access = byPolicies.get(key) ?? accessOf(policy, route.access, rules)
    byPolicies.set(key, access)
    byRoute.set(route, access)
    return access
  }
}

/** The rules of some policies, or the name of the one that is not sound. */
function accessOf(policy: Policy, names: readonly string[], rules: ReadonlyMap<string, readonly CompiledRule[]>): Access | string {
  const broken = names.find((name) => !rules.has(name))
  if (broken !== undefined) return `access policy ${broken}`
  return {
    index: indexRules(names.flatMap((name) => rules.get(name) ?? [])),
    reads: names.some((name) => policy.access[name]?.authenticate.kind !== 'none'),
  }
}

function permission(allow: readonly CompiledRule[], access: Access, facts: Facts): Decision {
  for (const rule of allow) {
    if (matches(rule, facts)) return { outcome: 'permit', policy: rule.policy, rule: rule.rule.id, audited: none, trace: undefined }
  }
  return unmatched(allow, access, facts)
}

/** A clear match says more than an error, so all rules of the phase are tried before an error counts. */
function denial(phase: Refusal['phase'], rules: readonly CompiledRule[], facts: Facts): Refusal | undefined {
  let failed: Refusal | undefined
  for (const rule of rules) {
    if (isSkipped(rule, facts)) continue
    for (const view of viewsFor(rule, facts)) {
      try {
        if (holds(rule, view)) return refusal('forbidden', { phase, policy: rule.policy, rule: rule.rule.id, reason: rule.rule.reason })
      } catch (error) {
        failed ??= refusal('policy_error', { phase, policy: rule.policy, rule: rule.rule.id, problem: firstLine(error) })
      }
    }
  }
  return failed
}

/** A rule fits a request that proved several subjects when one of them fits it as a whole; parts of two never add up to one. */
function viewsFor(rule: CompiledRule, { views }: Facts): readonly Facts[] {
  return rule.ofAnybody || views.length === 1 ? views : views.slice(0, 1)
}

function isSkipped(rule: CompiledRule, facts: Facts): boolean {
  return rule.needsClaims && rule.rule.effect === 'deny' && facts.subject === undefined
}

/** Allow and audit rules: what cannot be evaluated does not match. */
function matches(rule: CompiledRule, facts: Facts): boolean {
  return !isSkipped(rule, facts) && viewsFor(rule, facts).some((view) => fits(rule, view))
}

function fits(rule: CompiledRule, view: Facts): boolean {
  try {
    return holds(rule, view)
  } catch {
    return false
  }
}

/** Of rules that a request cannot even fit by its method, path or host, so many are looked at for the nearest. */
const looked = 50

interface Near {
  readonly rule: CompiledRule
  readonly misses: readonly Part[]
}

/**
 * No rule let the request pass: says what was missing, from the rules that came close. Only rules that fit by method, path and host can
 * lack nothing but an identity or scopes; where there is none, the first of the others are looked at for the nearest.
 */
function unmatched(near: readonly CompiledRule[], { index, reads }: Access, facts: Facts): Refusal {
  const considered = near.length > 0 ? near : index.all.allow.slice(0, looked)
  const all = considered.map((rule) => ({ rule, misses: missesOf(rule, facts) }))
  const closest = closestOf(all)
  const failed = closest && failureOf(closest.rule, facts)
  const nearest = closest && failed && { policy: closest.rule.policy, rule: closest.rule.rule.id, failed }
  if (facts.subject === undefined) {
    const forPrincipals = reads && all.some(({ misses }) => misses.every((part) => part.identity))
    return refusal(forPrincipals ? 'unauthenticated' : 'forbidden', { nearest })
  }
  const scoped = all.find(({ misses }) => misses.length === 1 && misses[0]?.name === 'scopes')
  if (scoped === undefined) return refusal('forbidden', { nearest })
  const { policy, rule } = scoped.rule
  return refusal('scope_insufficient', { policy, rule: rule.id, reason: rule.reason, scopes: scopesFor(rule), nearest })
}

/** The fewest failed parts; among those the one that held furthest; among those the first. */
function closestOf(all: readonly Near[]): Near | undefined {
  let best: Near | undefined
  for (const one of all) {
    if (best === undefined || one.misses.length < best.misses.length || (one.misses.length === best.misses.length && depth(one) > depth(best))) best = one
  }
  return best
}

/** How far down its parts a rule held. */
function depth({ rule, misses }: Near): number {
  return rule.parts.findIndex((part) => part === misses[0])
}

/** One set of scopes that is enough. */
function scopesFor({ matcher }: Rule): readonly string[] {
  return [...(matcher.scopes?.all ?? []), ...(matcher.scopes?.any.slice(0, 1) ?? [])]
}

function traceOf(book: RuleBook, facts: Facts, only: (rule: CompiledRule) => boolean = () => true): readonly RuleTrace[] {
  return [...book.screen, ...book.deny, ...book.allow, ...book.audit].filter(only).map((rule) => {
    const skipped = isSkipped(rule, facts)
    const failed = skipped || matches(rule, facts) ? undefined : failureOf(rule, facts)
    const { effect, mode } = rule.rule
    return { id: rule.id, phase: rule.phase, effect, mode, matched: !skipped && failed === undefined, skipped, failed }
  })
}

function refusal(code: Refusal['code'], facts: Partial<Refusal>): Refusal {
  return {
    outcome: 'refusal',
    phase: 'allow',
    code,
    policy: undefined,
    rule: undefined,
    reason: undefined,
    scopes: none,
    problem: undefined,
    nearest: undefined,
    audited: none,
    trace: undefined,
    ...facts,
  }
}
