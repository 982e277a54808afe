import { expressionParams } from '../../expression.ts'
import { compilePattern } from '../../pattern.ts'
import type { AccessPolicy, Requirement, Rule } from '../linked/access.ts'
import { leavesOf } from '../requirement.ts'
import { allowCovers, asksWho, denyCovers } from './covers.ts'
import { type Linking, placeIn } from './linking.ts'
import { canReach, type Reached, type ReachedPolicy } from './reach.ts'
import { overlap } from './takes.ts'

/** The sound access policies by name; those that routes carry inside go by the route's name. */
export type Policies = ReadonlyMap<string, AccessPolicy>

interface Found {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** How many pairs of rules are compared in one run, so that loading stays linear. */
const pairs = 200_000

/**
 * Rules that change nothing: that can never match for want of anybody to match, that another rule makes needless, that are denied whatever
 * they allow. Only what is certain is reported.
 */
export function checkIdle(linking: Linking, used: readonly ReachedPolicy[], policies: Policies): void {
  let left = pairs
  for (const { entry, policy, reached } of used) {
    const around = reached.map(({ route }) => route.access.map((name) => policies.get(name)))
    const [first = []] = around
    // A policy that is not known could say anything.
    const known = around.every((list) => list.every((one) => one !== undefined))
    const everywhere = first.filter((one) => one !== undefined && around.every((list) => list.includes(one)))
    const denies = everywhere.flatMap((one) => one?.rules.filter(isEnforced('deny')).map((rule) => ({ policy: one.name, rule })) ?? [])
    const allows = policy.rules.filter(isEnforced('allow'))
    for (const rule of policy.rules) {
      const report = (found: Found | undefined, which: 'key' | 'value' = 'key') => {
        const path = ['rules', (entry.value?.rules ?? []).findIndex(({ id }) => id === rule.id), rule.effect]
        if (found !== undefined) linking.report.warn({ ...found, at: placeIn(entry, path, which), object: entry.id })
      }
      report(contradiction(rule) ?? (known ? nobody(rule, around) : undefined))
      if (rule.effect === 'deny' && rule.mode === 'enforce') report(partly(rule, reached))
      if (!isEnforced('allow')(rule) || left <= 0) continue
      left -= denies.length + allows.length
      report(denied(rule, denies) ?? needless(rule, allows))
    }
  }
}

function isEnforced(effect: Rule['effect']): (rule: Rule) => boolean {
  return (rule) => rule.effect === effect && rule.mode === 'enforce'
}

/** Matchers that no request can meet together. */
function contradiction({ id, effect, matcher }: Rule): Found | undefined {
  if (effect !== 'allow' && matcher.anonymous && asksWho(matcher)) {
    const message = `The rule "${id}" can never match: it is about requests without a credential, and asks for what only a principal has.`
    return { code: 'rule_never', message, hint: 'Remove anonymous, or the claims, roles, scopes, issuers and clients.' }
  }
  const odd = matcher.headers?.find(({ exact, prefix, pattern, present }) => {
    if (exact === undefined || present === false) return false
    return (prefix !== undefined && !exact.startsWith(prefix)) || (pattern !== undefined && !compilePattern(pattern)(exact))
  })
  if (odd === undefined) return undefined
  const message = `The rule "${id}" can never match: ${JSON.stringify(odd.exact)} is not what else it asks of the header ${odd.name}.`
  return { code: 'rule_never', message, hint: 'Leave out exact, or what contradicts it.' }
}

/** Rules about somebody where nobody is known, or of issuers whose tokens no route takes, and rules about the anonymous where all must be known. */
function nobody({ id, effect, matcher }: Rule, around: readonly (readonly AccessPolicy[])[]): Found | undefined {
  const needs = effect === 'allow' ? !matcher.anonymous || asksWho(matcher) : asksWho(matcher)
  const requirements = around.map((list) => list.map(({ authenticate }) => authenticate))
  if (needs && requirements.every((list) => list.every(({ kind }) => kind === 'none'))) {
    const message = `The rule "${id}" can never match: nobody is authenticated here.`
    return { code: 'rule_never', message, hint: 'Write authenticate: { jwt: … }, or anonymous: true.' }
  }
  if (effect !== 'allow' && matcher.anonymous && requirements.every((list) => list.some(needsCredential))) {
    const message = `The rule "${id}" can never match: a request without a credential is refused before.`
    return { code: 'rule_never', message, hint: 'Remove it, or write authenticate: { optional: … }.' }
  }
  const taken = new Set(requirements.flat().flatMap((one) => leavesOf(one).map(({ name }) => name)))
  const { issuers } = matcher
  if (issuers === undefined || issuers.some((name) => taken.has(name))) return undefined
  const message = `The rule "${id}" can never match: tokens of ${issuers.join(', ')} are not accepted here.`
  return { code: 'rule_never', message, hint: 'Add the issuer to authenticate.' }
}

/** Whether a requirement cannot be met without any credential. */
function needsCredential(requirement: Requirement): boolean {
  if ('name' in requirement) return true
  switch (requirement.kind) {
    case 'none':
    case 'optional':
      return false
    case 'anyOf':
      return requirement.of.every(needsCredential)
    case 'allOf':
      return requirement.of.some(needsCredential)
    default:
      return requirement satisfies never
  }
}

function denied(rule: Rule, denies: readonly { readonly policy: string; readonly rule: Rule }[]): Found | undefined {
  const by = denies.find((deny) => denyCovers(deny.rule, rule))
  if (by === undefined) return undefined
  const message = `The rule "${rule.id}" lets nobody pass: ${by.policy}/${by.rule.id} denies everything that it allows.`
  return { code: 'rule_denied', message, hint: 'Remove it, or narrow the deny rule.' }
}

function needless(rule: Rule, allows: readonly Rule[]): Found | undefined {
  const at = allows.indexOf(rule)
  // Of two that cover each other the later one is needless.
  const by = allows.find((other, i) => other !== rule && allowCovers(other, rule) && (i < at || !allowCovers(rule, other)))
  if (by === undefined) return undefined
  const message = `The rule "${rule.id}" changes nothing: "${by.id}" lets pass all that it does.`
  return { code: 'rule_shadowed', message, hint: `Remove it, or narrow "${by.id}".` }
}

/** A deny rule by paths on a gRPC route, which denies one way to an RPC and leaves another open. */
function partly(rule: Rule, reached: readonly Reached[]): Found | undefined {
  if (rule.matcher.paths === undefined) return undefined
  const variables = variablesOf(rule)
  for (const one of reached) {
    for (const [rpc, ways] of Map.groupBy(one.ways, ({ rpc }) => rpc)) {
      if (rpc === undefined) continue
      const touched = ways.filter((way) => canReach(rule, { ...one, ways: [way] }))
      // A way without the variables that the rule asks for is one that the rule cannot speak of.
      const open = ways.filter(
        (way) =>
          !touched.some((other) => overlap(other.template, way.template)) &&
          !touched.includes(way) &&
          canReach({ ...rule, matcher: { ...rule.matcher, paths: undefined, methods: undefined } }, { ...one, ways: [way] }) &&
          variables.every((name) => way.template.variables.some((variable) => variable.name === name)),
      )
      if (touched.length === 0 || open.length === 0) continue
      const message = `The rule "${rule.id}" denies ${rpc} at ${touched.map(({ template }) => template.source).join(', ')}, and not at ${open.map(({ template }) => template.source).join(', ')}.`
      return { code: 'deny_partial', message, hint: `Write grpc: [${rpc}], which takes every way to it.` }
    }
  }
  return undefined
}

function variablesOf({ matcher: { claims }, when }: Rule): readonly string[] {
  const equals = (claims ?? []).flatMap((test) => (test.kind === 'equals' && test.attribute.startsWith('path.') ? [test.attribute.slice(5)] : []))
  return [...equals, ...(when === undefined ? [] : expressionParams(when))]
}
