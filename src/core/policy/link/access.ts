import { expressionRoots } from '../../expression.ts'
import type { ProofKind } from '../../model/principal.ts'
import type { AccessDocument, MatcherDocument, RequirementDocument, RuleDocument } from '../document/access.ts'
import type { AccessPolicy, Requirement, Rule } from '../linked/access.ts'
import type { Path } from '../read/node.ts'
import { standsIn } from '../requirement.ts'
import { asksWho } from './covers.ts'
import { type Entry, isSaid, isWhole, type Linking, need, placeIn, refer, refuse, warn } from './linking.ts'
import { linkMatcher } from './matcher.ts'

const effects = ['allow', 'deny', 'audit'] as const

/** Checks and links one access policy; `name` is the route's for one written inline. Quarantine is set later. */
export function linkAccess(linking: Linking, entry: Entry<AccessDocument>, name: string): AccessPolicy {
  const ids = new Map<string, number>()
  const rules = (entry.value?.rules ?? []).map((rule, i) => {
    checkRule(linking, entry, rule, i, ids)
    return linkRule(linking, entry, rule, i)
  })
  const kept = rules.filter((rule) => rule !== undefined)
  if (entry.value?.mode === 'audit') return auditPolicy(linking, entry, name, kept)
  const said = entry.value?.authenticate
  const authenticate = said === undefined ? impliedRequirement(linking, entry, kept) : linkRequirement(linking, entry, said, ['authenticate'])
  checkPrincipals(linking, entry, kept)
  return { name, quarantined: undefined, authenticate, rules: kept, ...linkAsk(linking, entry) }
}

/** An access policy cannot do without whom it asks: a broken decider quarantines it. */
function linkAsk(linking: Linking, entry: Entry<AccessDocument>): Pick<AccessPolicy, 'ask'> {
  const said = entry.value?.ask
  if (said === undefined) return {}
  const names = typeof said === 'string' ? [said] : said
  for (const [i, name] of names.entries()) refer(linking, entry, typeof said === 'string' ? ['ask'] : ['ask', i], 'deciders', name)
  return { ask: names }
}

/** A policy on trial decides nothing, so it asks for nothing either: it sees whom the other policies of the route know. */
function auditPolicy(linking: Linking, entry: Entry<AccessDocument>, name: string, rules: readonly Rule[]): AccessPolicy {
  if (isSaid(entry, ['authenticate']))
    refuse(linking, entry, ['authenticate'], {
      code: 'audit_authenticates',
      message: 'A policy with mode: audit decides nothing, and asking for a credential is a decision.',
      hint: 'Remove authenticate; its rules see whom the other policies of the route let in.',
      which: 'key',
    })
  if (isSaid(entry, ['ask']))
    refuse(linking, entry, ['ask'], {
      code: 'audit_asks',
      message: 'A policy with mode: audit decides nothing, so nobody is asked for it.',
      hint: 'Remove ask; a decider with mode: audit is asked and recorded by a policy that decides.',
      which: 'key',
    })
  return { name, quarantined: undefined, authenticate: { kind: 'none' }, rules: rules.map((rule) => ({ ...rule, mode: 'audit' })) }
}

function checkRule(linking: Linking, entry: Entry<AccessDocument>, rule: RuleDocument, i: number, ids: Map<string, number>): void {
  const path = ['rules', i]
  const first = ids.get(rule.id)
  if (first === undefined) ids.set(rule.id, i)
  else
    refuse(linking, entry, [...path, 'id'], {
      code: 'rule_repeated',
      message: `The rule id "${rule.id}" is given twice in this policy.`,
      hint: 'Give each rule an id of its own.',
    })
  const said = effects.filter((effect) => isSaid(entry, [...path, effect]))
  if (said.length !== 1) {
    const message = said.length === 0 ? 'The rule neither allows nor denies nor audits.' : `The rule has more than one effect: ${said.join(', ')}.`
    refuse(linking, entry, [...path, ...said.slice(1, 2)], {
      code: 'effect_count',
      message,
      hint: 'Give it exactly one of allow, deny and audit.',
      which: 'key',
    })
  }
  if (rule.widen === true && (rule.allow === undefined || placeIn(entry, [...path, 'widen']).source.kind === 'file'))
    refuse(linking, entry, [...path, 'widen'], {
      code: 'no_effect',
      message: '"widen" is for an allow rule that an overlay adds.',
      hint: 'Remove it.',
      which: 'key',
    })
  const shows = rule.deny !== undefined || rule.allow?.scopes !== undefined
  if (rule.reason !== undefined && !shows && said.length === 1)
    warn(linking, entry, [...path, 'reason'], {
      code: 'no_effect',
      message: `"reason" has no effect on ${rule.audit === undefined ? 'an allow rule without scopes' : 'an audit rule'}: it refuses nobody.`,
      hint: 'Write it on the deny rule that refuses.',
      which: 'key',
    })
  if (rule.mode === 'audit' && rule.audit !== undefined)
    warn(linking, entry, [...path, 'mode'], { code: 'mode_needless', message: 'An audit rule decides nothing in any mode.', hint: 'Remove mode.' })
}

function linkRule(linking: Linking, entry: Entry<AccessDocument>, rule: RuleDocument, i: number): Rule | undefined {
  const effect = effects.find((candidate) => rule[candidate] !== undefined)
  const document = effect === undefined ? undefined : rule[effect]
  if (effect === undefined || document === undefined) return undefined
  const path = ['rules', i, effect]
  if (effect === 'allow' && saysNothing(document) && isWhole(entry, path.join('.')))
    refuse(linking, entry, path, {
      code: 'allow_empty',
      message: `The rule "${rule.id}" does not say what it allows.`,
      hint: 'Name methods, paths, scopes or the like; write anonymous: true to let everybody pass.',
    })
  return { id: rule.id, effect, mode: rule.mode, matcher: linkMatcher(linking, entry, document, path), when: rule.when, reason: rule.reason }
}

function saysNothing(matcher: MatcherDocument): boolean {
  return Object.entries(matcher).every(([key, value]) => value === undefined || (key === 'anonymous' && value === false))
}

/** Credentials, and the section whose object judges each. */
const leaves = { jwt: 'issuers', introspection: 'issuers', apiKey: 'apiKeys', mtls: 'certificates' } as const satisfies Record<ProofKind, string>
const proofKinds = Object.keys(leaves) as readonly ProofKind[] // the keys of a Record<ProofKind, …>
const shapes = [...proofKinds, 'anyOf', 'allOf', 'optional'] as const

function linkRequirement(linking: Linking, entry: Entry<AccessDocument>, said: 'none' | RequirementDocument, path: Path): Requirement {
  if (said === 'none') return { kind: 'none' }
  const given = shapes.filter((key) => isSaid(entry, [...path, key]))
  if (given.length !== 1 && isWhole(entry, path.join('.')))
    refuse(linking, entry, [...path, ...given.slice(1, 2)], {
      code: 'requirement_shape',
      message: `A requirement is exactly one of ${shapes.slice(0, -1).join(', ')} and optional.`,
      hint: 'Write { jwt: issuer }, { apiKey: set }, { anyOf: [ … ] }, { allOf: [ … ] } or { optional: { jwt: issuer } }.',
      which: 'key',
    })
  for (const kind of proofKinds) {
    const name = said[kind]
    if (name === undefined) continue
    if (refer(linking, entry, [...path, kind], leaves[kind], name) && kind === 'introspection') checkAsked(linking, entry, [...path, kind], name)
    return { kind, name }
  }
  if (said.allOf !== undefined) warnOfRivals(linking, entry, said.allOf, [...path, 'allOf'])
  const branches = (kind: 'anyOf' | 'allOf', of: readonly RequirementDocument[]): Requirement => ({
    kind,
    of: of.map((each, i) => linkRequirement(linking, entry, each, [...path, kind, i])),
  })
  if (said.anyOf !== undefined) return branches('anyOf', said.anyOf)
  if (said.allOf !== undefined) return branches('allOf', said.allOf)
  if (said.optional !== undefined) return { kind: 'optional', of: linkRequirement(linking, entry, said.optional, [...path, 'optional']) }
  return { kind: 'none' }
}

/** A request brings one credential of a sort: two different ones of it are never met together. */
function warnOfRivals(linking: Linking, entry: Entry<AccessDocument>, all: readonly RequirementDocument[], path: Path): void {
  const named = all.flatMap((one, i) => proofKinds.flatMap((kind) => (one[kind] === undefined ? [] : [{ kind, name: one[kind], i }])))
  const rival = named.find(({ kind, name }, at) =>
    named.slice(0, at).some((one) => standsIn[one.kind] === standsIn[kind] && (one.kind !== kind || one.name !== name)),
  )
  if (rival === undefined) return
  warn(linking, entry, [...path, rival.i, rival.kind], {
    code: 'requirement_never',
    message: `This can never be met: a request brings one ${nouns[standsIn[rival.kind]]}, and another is asked for beside "${rival.name}".`,
    hint: 'Write anyOf, where one of them is enough.',
  })
}

const nouns = { authorization: 'bearer token', key: 'API key', connection: 'client certificate' } as const

/** An issuer can be asked about tokens only where it is said how. */
function checkAsked(linking: Linking, entry: Entry<AccessDocument>, path: Path, name: string): void {
  if (linking.introspects(name)) return
  refuse(linking, entry, path, {
    code: 'introspection_missing',
    message: `It is not said how the issuer "${name}" is asked about tokens.`,
    hint: `Add introspection: { clientId: …, clientSecret: env:… } to issuers.${name}.`,
  })
}

/** Nothing is said: the only issuer there is, when a rule needs a principal. */
function impliedRequirement(linking: Linking, entry: Entry<AccessDocument>, rules: readonly Rule[]): Requirement {
  const asking = rules.findIndex(needsPrincipal)
  if (asking < 0 || !isWhole(entry, 'authenticate')) return { kind: 'none' }
  const issuers = Array.from(linking.names('issuers'))
  const [only] = issuers
  if (only === undefined || issuers.length > 1) {
    const message = `The rule "${rules[asking]?.id}" needs a principal, and the policy does not say how one is authenticated.`
    const hint =
      only === undefined
        ? 'Add an issuer under "issuers:", and authenticate: { jwt: … } here.'
        : `Add authenticate: { jwt: … } with one of ${issuers.join(', ')}.`
    refuse(linking, entry, ['rules'], { code: 'authenticate_missing', message, hint, which: 'key' })
    return { kind: 'none' }
  }
  linking.used.add(`issuers.${only}`)
  need(linking, entry.id, `issuers.${only}`)
  const jwt: Requirement = { kind: 'jwt', name: only }
  return rules.some((rule) => rule.effect === 'allow' && rule.matcher.anonymous) ? { kind: 'optional', of: jwt } : jwt
}

/** Whether a rule can only be decided for somebody who is known. */
function needsPrincipal({ effect, matcher, when }: Rule): boolean {
  if (effect === 'allow' && !matcher.anonymous) return true
  if (asksWho(matcher)) return true
  const roots = when === undefined ? undefined : expressionRoots(when)
  return roots?.has('claims') === true || roots?.has('principal') === true
}

function checkPrincipals(linking: Linking, entry: Entry<AccessDocument>, rules: readonly Rule[]): void {
  for (const rule of rules) {
    if (rule.effect !== 'allow' || !rule.matcher.anonymous || !asksWho(rule.matcher)) continue
    // Rules that were left out shift the list, so the place is found by id.
    const path = ['rules', (entry.value?.rules ?? []).findIndex(({ id }) => id === rule.id), rule.effect]
    warn(linking, entry, path, {
      code: 'rule_contradicts',
      message: `The rule "${rule.id}" allows anonymous requests, and asks for what only a principal has.`,
      hint: 'Remove anonymous, or the claims, scopes, issuers and clients.',
    })
  }
}
