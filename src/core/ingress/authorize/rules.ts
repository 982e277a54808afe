import { expressionRoots } from '../../expression.ts'
import type { AccessPolicy, Rule } from '../../policy/linked/access.ts'
import type { CompiledRule, Phase } from './compiled-rule.ts'
import type { Asked, Facts } from './facts.ts'
import { type MatcherName, type Part, partsOf } from './matchers.ts'
import { buildSieve, type Sieve } from './sieve.ts'

/** A matcher that did not hold, in words. */
export interface FailedMatcher {
  readonly matcher: MatcherName
  /** What it looks at: the matcher's name, or one header. Reads as "`what` must be `expected`, is `actual`". */
  readonly what: string
  readonly expected: string
  /** May hold values of claims: for `explain`, not for answers. */
  readonly actual: string
  /** Why it could not be evaluated. */
  readonly error: string | undefined
}

/** The rules of a route by when they have their say. */
export type RuleBook = Readonly<Record<Phase, readonly CompiledRule[]>>

type Sieves = Readonly<Record<Phase, Sieve>>

export interface RuleIndex {
  readonly all: RuleBook
  readonly forRequest: (x: Asked) => Sieves
}

/** Compiles an access policy. @throws Error for what the loader should have refused. */
export function compileRules(policy: AccessPolicy): readonly CompiledRule[] {
  return policy.rules.map((rule) => {
    const parts = partsOf(rule)
    const identity = parts.some((part) => part.identity)
    const facts = { needsClaims: needsClaims(rule), phase: phaseOf(rule, identity), identity, ofAnybody: isOfAnybody(rule, parts) }
    return { policy: policy.name, rule, id: `${policy.name}/${rule.id}`, parts, ...facts }
  })
}

function needsClaims({ matcher: { claims, roles, acr, amr }, when }: Rule): boolean {
  return [claims, roles, acr, amr].some((one) => one !== undefined) || (when !== undefined && expressionRoots(when).has('claims'))
}

/**
 * Whether the rule is held against each subject of a request that proved several. A deny rule whose only word about identity is a condition
 * is about the principal: `claims.tenant != …` would be true, or fail, of every other credential there is.
 */
function isOfAnybody({ effect }: Rule, parts: readonly Part[]): boolean {
  return parts.some(({ identity, name }) => identity && (effect !== 'deny' || name !== 'when'))
}

function phaseOf({ effect, mode }: Rule, identity: boolean): Phase {
  if (effect === 'audit' || mode === 'audit') return 'audit'
  return effect === 'deny' && !identity ? 'screen' : effect
}

/** Whether every part holds. @throws what a part throws. */
export function holds(rule: CompiledRule, facts: Facts): boolean {
  for (const part of rule.parts) if (!part.test(facts)) return false
  return true
}

/** Every part that does not hold, in the order of the parts. Never throws. */
export function missesOf(rule: CompiledRule, facts: Facts): readonly Part[] {
  return rule.parts.filter((part) => !attempt(part, facts).holds)
}

/** The first part that does not hold, in words; undefined when all hold. Never throws. */
export function failureOf(rule: CompiledRule, facts: Facts): FailedMatcher | undefined {
  for (const part of rule.parts) {
    const { holds: good, error } = attempt(part, facts)
    if (good) continue
    const miss = part.miss(facts)
    return { matcher: part.name, ...miss, actual: error ?? miss.actual, error }
  }
  return undefined
}

function attempt(part: Part, facts: Facts): { readonly holds: boolean; readonly error: string | undefined } {
  try {
    return { holds: part.test(facts), error: undefined }
  } catch (error) {
    return { holds: false, error: firstLine(error) }
  }
}

/** What went wrong, without the excerpt of the source that the expression engine adds. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] ?? message
}

/**
 * Finds the rules that a request can fit by its RPC or method, its host and its path, so that the others are not even tried. The order
 * of the files is kept.
 */
export function indexRules(rules: readonly CompiledRule[]): RuleIndex {
  const all = bookOf(rules)
  const byKey = new Map<string, Sieves>()
  const forKey = (key: string, may: (rule: Rule) => boolean): Sieves => {
    const known = byKey.get(key)
    if (known !== undefined) return known
    const sieves = sievesOf(bookOf(rules.filter(({ rule }) => may(rule))))
    byKey.set(key, sieves)
    return sieves
  }
  return {
    all,
    forRequest: ({ rpc, request: { method } }) => {
      if (rpc !== undefined) return forKey(rpc.rpc.path, ({ matcher }) => fitsRpc(matcher.grpc, rpc.rpc.service, rpc.rpc.path.slice(1)))
      // Any token is a method: only those with a meaning get an entry, so that callers cannot grow the index.
      const key = knownMethods.has(method) ? method : 'other'
      return forKey(key, ({ matcher }) => matcher.grpc === undefined && (key === 'other' || fitsMethod(matcher.methods, key)))
    },
  }
}

const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

function fitsRpc(list: readonly string[] | undefined, service: string, name: string): boolean {
  return list === undefined || list.includes(name) || list.includes(`${service}/*`)
}

function fitsMethod(list: readonly string[] | undefined, method: string): boolean {
  return list === undefined || list.includes(method) || (method === 'HEAD' && list.includes('GET'))
}

function bookOf(rules: readonly CompiledRule[]): RuleBook {
  const inPhase = (phase: Phase) => rules.filter((rule) => rule.phase === phase)
  return { screen: inPhase('screen'), deny: inPhase('deny'), allow: inPhase('allow'), audit: inPhase('audit') }
}

function sievesOf(book: RuleBook): Sieves {
  return { screen: buildSieve(book.screen), deny: buildSieve(book.deny), allow: buildSieve(book.allow), audit: buildSieve(book.audit) }
}
