import { challenge, type Scheme, tokenChallenges, wantedBy } from '../model/challenge.ts'
import type { Identified, Matched, Permitted } from '../model/exchange.ts'
import { Fault, type FaultDetail } from '../model/fault.ts'
import type { Permit, PermitFacts } from '../model/permit.ts'
import type { Route } from '../model/route.ts'
import type { Decider } from '../policy/linked/deciders.ts'
import type { Issuer } from '../policy/linked/issuers.ts'
import type { Policy } from '../policy/policy.ts'
import { leavesOf } from '../policy/requirement.ts'
import type { Ports } from '../ports.ts'
import type { Ask, Verdict } from './authorize/ask.ts'
import { buildDecide, type Refusal } from './authorize/decide.ts'

export { buildExtAuthzGrpc } from './authorize/ask/ext-authz-grpc.ts'
export { buildStatedAsk, type StatedAnswer } from './authorize/ask/stated.ts'
export { type Ask, buildAsk, type Consult } from './authorize/ask.ts'
export { buildDecide, type Decision } from './authorize/decide.ts'

export interface Authorize {
  (x: Identified): Permitted | Promise<Permitted>
  /** The deny rules that need no principal, to be asked before `identify`. Hands on the request that none of them refuses; throws like the room. */
  screen(x: Matched): Matched
}

/**
 * Builds the room that says whether a request may pass. What the rules let pass is put before the decision points that its policies
 * name; all of them must allow it. What comes through carries a `Permit`; the rest is thrown: `forbidden`, `policy_error`,
 * `unauthenticated`, `scope_insufficient`, `config_quarantined`, `decision_unavailable`; or why the request ended while it waited. Without
 * a way to ask, whatever needs asking is refused.
 */
export function buildAuthorize(policy: Policy, ports: Pick<Ports, 'clock'>, ask: Ask = nobodyToAsk): Authorize {
  const decide = buildDecide(policy, ports)
  const decidersOf = buildDecidersOf(policy)
  const authorize = (x: Identified): Permitted | Promise<Permitted> => {
    const decision = decide(x)
    if (decision.outcome === 'refusal') throw faultFrom(decision, x, policy)
    const facts: PermitFacts = { policy: decision.policy, rule: decision.rule, audited: decision.audited }
    const deciders = decidersOf(x.route)
    return deciders.length === 0 ? Object.assign(x, { permit: mint(facts) }) : askAll(x, deciders, ask, facts)
  }
  const screen = (x: Matched): Matched => {
    const refused = decide.screen(x)
    if (refused !== undefined) throw faultFrom(refused, x, policy)
    return x
  }
  return Object.assign(authorize, { screen })
}

const nobodyToAsk: Ask = async (_, { name }) => {
  throw new Fault('decision_unavailable', messages.decision_unavailable, { internal: `nobody can ask ${name} here` })
}

const nobody: readonly Decider[] = []

/** The deciders of all policies of a route, each once. */
function buildDecidersOf({ access, deciders }: Policy): (route: Route) => readonly Decider[] {
  const known = new Map<Route, readonly Decider[]>()
  return (route) => {
    const there = known.get(route)
    if (there !== undefined) return there
    const names = new Set(route.access.flatMap((name) => access[name]?.ask ?? []))
    const found = names.size === 0 ? nobody : Array.from(names, (name) => deciderOf(deciders, name))
    known.set(route, found)
    return found
  }
}

/** @throws Fault `config_quarantined`: linking quarantines every policy that asks one that is broken. */
function deciderOf(deciders: Policy['deciders'], name: string): Decider {
  const decider = deciders[name]
  if (decider === undefined) throw new Fault('config_quarantined', messages.config_quarantined, { internal: `decider ${name}` })
  return decider
}

/** Asks all at once: the slowest says how long it takes. What they said is recorded whatever comes of it. */
async function askAll(x: Identified, deciders: readonly Decider[], ask: Ask, facts: PermitFacts): Promise<Permitted> {
  const verdicts = await Promise.all(deciders.map((decider) => ask(x, decider)))
  Object.assign(x, { asked: verdicts.map(({ asked }) => asked) })
  const binding = deciders.flatMap((decider, i) => {
    const verdict = verdicts[i]
    return verdict === undefined || decider.mode === 'audit' ? [] : [{ decider, verdict }]
  })
  // A denial says more than a failure, whoever came first.
  const against = binding.find(({ verdict }) => verdict.asked.outcome === 'denied') ?? binding.find(({ verdict }) => verdict.asked.outcome === 'failed_closed')
  if (against !== undefined) throw refusalBy(against.decider, against.verdict)
  const given = binding.flatMap(({ verdict }) => verdict.given)
  return Object.assign(x, { permit: mint(facts), ...(given.length === 0 ? {} : { given }) })
}

function refusalBy({ name, point, showReason }: Decider, { asked, status, challenge }: Verdict): Fault {
  const rule = `deciders.${name}`
  if (asked.outcome === 'failed_closed')
    return new Fault('decision_unavailable', messages.decision_unavailable, {
      rule,
      headers: [['retry-after', '1']],
      internal: `${name}: ${asked.problem ?? ''}`,
    })
  const detail: FaultDetail = {
    rule,
    reason: showReason ? asked.reason : undefined,
    internal: `denied by ${name}${asked.reason === undefined ? '' : `: ${asked.reason}`}`,
  }
  if (status !== 401 || point.kind !== 'extAuthz' || !point.keepStatus) return new Fault('forbidden', messages.forbidden, detail)
  return new Fault('unauthenticated', 'another credential is required', { ...detail, headers: [['www-authenticate', challengeFrom(challenge)]] })
}

/** A point's challenge, where it can stand in an answer. */
function challengeFrom(value: string | undefined): string {
  return value !== undefined && /^[\x21-\x7e][\x20-\x7e]{0,511}$/.test(value) ? value : challenge('Bearer')
}

/** The only place of the ingress wing where a permit comes to be. */
function mint(facts: PermitFacts): Permit {
  // The brand exists in types alone; this cast is what nobody else may write.
  return Object.freeze(facts) as Permit
}

const messages = {
  forbidden: 'access is denied by policy',
  policy_error: 'whether access is allowed could not be decided',
  unauthenticated: 'a bearer token is required',
  scope_insufficient: 'the token lacks a scope',
  config_quarantined: 'this route is quarantined',
  decision_unavailable: 'whether access is allowed could not be asked',
} as const satisfies Record<Refusal['code'] | 'decision_unavailable', string>

/** `x` has a principal but where the screen refused. */
function faultFrom(refusal: Refusal, x: Matched & Partial<Identified>, policies: Policy): Fault {
  const { code, policy, rule, reason, phase, nearest, audited } = refusal
  const challenges = challengesOf(refusal, x, policies)
  const detail: FaultDetail = {
    rule: policy === undefined || rule === undefined ? undefined : `${policy}/${rule}`,
    reason,
    internal: internalOf(refusal),
    decision: {
      phase,
      nearest: nearest && { rule: `${nearest.policy}/${nearest.rule}`, matcher: nearest.failed.what, expected: nearest.failed.expected },
      audited,
    },
    ...(challenges.length === 0 ? {} : { headers: challenges.map((value) => ['www-authenticate', value] as const) }),
  }
  return new Fault(code, code === 'unauthenticated' ? `${wantedBy(challenges)} is required` : messages[code], detail)
}

/** RFC 6750 section 3.1; in the scheme that the credential came by, or in all that the route takes where there was none. */
function challengesOf({ code, scopes }: Refusal, x: Matched & Partial<Identified>, policies: Policy): readonly string[] {
  if (code === 'unauthenticated') return missingIn(x.route, policies)
  const scheme = code === 'scope_insufficient' ? schemeOf(x) : undefined
  return scheme === undefined ? [] : [challenge(scheme, { error: 'insufficient_scope', scope: scopes.join(' ') })]
}

/** A client certificate has no scheme that a challenge could name. */
function schemeOf({ principal, request }: Matched & Partial<Identified>): Scheme | undefined {
  if (principal?.kind !== 'subject' || principal.by === 'mtls') return undefined
  if (principal.by === 'apiKey') return 'ApiKey'
  return /^dpop /i.test(request.headers.get('authorization') ?? '') ? 'DPoP' : 'Bearer'
}

function missingIn({ access }: Route, { access: policies, issuers }: Policy): readonly string[] {
  const leaves = access.flatMap((name) => policies[name]?.authenticate ?? []).flatMap(leavesOf)
  if (leaves.length === 0) return tokenChallenges([])
  const names = new Set(leaves.flatMap(({ kind, name }) => (kind === 'jwt' || kind === 'introspection' ? [name] : [])))
  const asked: readonly Issuer[] = [...names].flatMap((name) => issuers[name] ?? [])
  const ofTokens = names.size === 0 ? [] : tokenChallenges(asked.map(({ proof }) => proof.required))
  return leaves.some(({ kind }) => kind === 'apiKey') ? [...ofTokens, challenge('ApiKey')] : ofTokens
}

/** For the record: what was nearest and what audit rules said, without values of claims. */
function internalOf({ problem, nearest, audited, policy, rule, code }: Refusal): string {
  const denied = code === 'forbidden' && rule !== undefined ? `denied by ${policy}/${rule}` : 'no allow rule'
  const near = nearest === undefined ? denied : `nearest ${nearest.policy}/${nearest.rule}: ${nearest.failed.what} must be ${nearest.failed.expected}`
  return [problem ?? near, audited.length === 0 ? '' : `audited: ${audited.join(', ')}`].filter((text) => text !== '').join('; ')
}
