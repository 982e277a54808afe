import { expressionRoots } from '../../expression.ts'
import type { Identified } from '../../model/exchange.ts'
import type { AccessPolicy, Rule } from '../../policy/policy.ts'
import type { Facts } from './facts.ts'
import { type MatcherName, type Part, partsOf } from './matchers.ts'

/** A rule ready to run. */
export interface CompiledRule {
  readonly policy: string
  readonly rule: Rule
  /** `policy/rule` */
  readonly id: string
  readonly parts: readonly Part[]
  /** A deny rule that speaks of claims says nothing about a request that has none. */
  readonly needsClaims: boolean
}

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

/** The rules of a route by what they do. */
export interface RuleBook {
  readonly deny: readonly CompiledRule[]
  readonly allow: readonly CompiledRule[]
  readonly audit: readonly CompiledRule[]
}

/** Compiles an access policy. @throws Error for what the loader should have refused. */
export function compileRules(policy: AccessPolicy): readonly CompiledRule[] {
  return policy.rules.map((rule) => ({
    policy: policy.name,
    rule,
    id: `${policy.name}/${rule.id}`,
    parts: partsOf(rule),
    needsClaims: rule.matcher.claims !== undefined || (rule.when !== undefined && expressionRoots(rule.when).has('claims')),
  }))
}

/** Whether every part holds. @throws what a part throws. */
export function holds(rule: CompiledRule, facts: Facts): boolean {
  for (const part of rule.parts) if (!part.test(facts)) return false
  return true
}

/** Every part that does not hold, in the order of the parts. Never throws. */
export function failuresOf(rule: CompiledRule, facts: Facts): readonly (FailedMatcher & { readonly identity: boolean })[] {
  return rule.parts.flatMap((part) => {
    const { holds: good, error } = attempt(part, facts)
    if (good) return []
    const miss = part.miss(facts)
    return [{ matcher: part.name, identity: part.identity, ...miss, actual: error ?? miss.actual, error }]
  })
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
 * Sorts rules by what they do, and finds those that a request can fit by its RPC or method, so that the others are not even tried.
 * The order of the files is kept.
 */
export function indexRules(rules: readonly CompiledRule[]): { readonly all: RuleBook; readonly forRequest: (x: Identified) => RuleBook } {
  const all = bookOf(rules)
  const byKey = new Map<string, RuleBook>()
  const forKey = (key: string, may: (rule: Rule) => boolean) => {
    const known = byKey.get(key)
    if (known !== undefined) return known
    const book = bookOf(rules.filter(({ rule }) => may(rule)))
    byKey.set(key, book)
    return book
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
  const isAudit = ({ rule }: CompiledRule) => rule.effect === 'audit' || rule.mode === 'audit'
  const enforced = rules.filter((rule) => !isAudit(rule))
  return {
    deny: enforced.filter(({ rule }) => rule.effect === 'deny'),
    allow: enforced.filter(({ rule }) => rule.effect === 'allow'),
    audit: rules.filter(isAudit),
  }
}
