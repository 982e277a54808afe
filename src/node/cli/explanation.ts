import type { Decision } from '../../core/ingress/authorize.ts'
import type { Destination } from '../../core/model/destination.ts'
import type { Arrival } from '../../core/model/exchange.ts'
import { faultCatalogue } from '../../core/model/fault.ts'
import type { Route } from '../../core/model/route.ts'
import type { Fields } from '../../core/model/wire.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Rehearsal } from '../../core/rehearse.ts'
import { type Terminal, table } from './terminal.ts'

/** What `explain` says of one request, as plain data. */
export type Explanation = ReturnType<typeof explanationOf>

/** Everything the rooms found out, in the order of the walk; what was not reached is undefined. */
export function explanationOf(policy: Policy, arrival: Arrival, { refusal, granted, last, candidates, decision, asked, limits, handedOn }: Rehearsal) {
  const names = arrival.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
  const sent = last.call === undefined ? undefined : last.call.kind === 'http' ? last.call.headers : last.call.metadata
  return {
    revision: policy.revision,
    request: last.request && { method: last.request.method, host: last.request.host, path: last.request.target.path, client: last.client?.address },
    candidates,
    route: last.route?.name,
    params: last.params && { ...last.params },
    rpc: last.rpc?.rpc.path,
    principal: last.principal,
    rules: decision?.trace ?? [],
    wouldAsk: asked.map(({ decider, audit }) => ({ decider, audit })),
    decision: decision && decisionOf(decision),
    permit: last.permit && `${last.permit.policy}/${last.permit.rule}`,
    limits: limits.map(untold),
    destination: last.destination && { ...last.destination, ...last.steering },
    ...(last.route === undefined || last.destination === undefined ? {} : steeringNotes(last.route, last.destination)),
    handedOn,
    headers: sent && {
      added: [...namesOf(sent)].filter((name) => !names.includes(name)),
      stripped: [...new Set(names)].filter((name) => !sent.has(name) && name !== 'host'),
    },
    outcome:
      refusal === undefined
        ? { kind: granted ? ('granted' as const) : last.route?.openapi === undefined ? ('forwarded' as const) : ('answered' as const) }
        : {
            kind: 'refused' as const,
            status: faultCatalogue[refusal.code].http,
            code: refusal.code,
            message: refusal.message,
            rule: refusal.detail.rule,
            reason: refusal.detail.reason,
            because: refusal.detail.internal,
          },
  }
}

/** What is left only a running gateway or its store knows: what stands here was never touched. */
function untold({ standing, ...limit }: Rehearsal['limits'][number]) {
  return { ...limit, standing: standing.kind === 'within' ? { kind: 'untold' as const } : standing }
}

/** Where the decision fell and by which rule; without a rule, which allow rule came closest and the matcher that kept it from fitting. */
function decisionOf(decision: Decision) {
  const rule = decision.rule === undefined ? undefined : `${decision.policy}/${decision.rule}`
  const found = { outcome: decision.outcome, rule, audited: decision.audited }
  if (decision.outcome === 'permit') return { ...found, phase: 'allow' as const, nearest: undefined }
  const { phase, nearest } = decision
  return { ...found, phase, nearest: nearest && { rule: `${nearest.policy}/${nearest.rule}`, ...nearest.failed } }
}

/** What else may happen to the request where it goes; undefined when nothing may. */
function steeringNotes({ split, mirror, faults }: Route, { cluster, subset }: Destination): { readonly notes?: readonly string[] } {
  const { guard, failover } = split.find((one) => one.cluster === cluster && one.subset === subset) ?? {}
  const name = (place: Destination) => (place.subset === undefined ? place.cluster : `${place.cluster}/${place.subset}`)
  const percent = (share: number) => `${Number((share * 100).toFixed(2))} %`
  const notes = [
    guard === undefined ? [] : ['guarded: in a running gateway it may have lost its weight'],
    failover === undefined ? [] : [`what it cannot take goes to ${name(failover)} (on ${failover.on.join(', ')})`],
    mirror === undefined ? [] : [`${percent(mirror.share)} of what is copied goes to ${name(mirror)} too`],
    faults?.delay === undefined ? [] : [`${percent(faults.delay.share)} are delayed by ${faults.delay.ms} ms on purpose`],
    faults?.abort === undefined ? [] : [`${percent(faults.abort.share)} are aborted with ${faults.abort.status.http} on purpose`],
  ].flat()
  return notes.length === 0 ? {} : { notes }
}

function namesOf(fields: Fields): ReadonlySet<string> {
  return new Set([...fields.entries()].map(([name]) => name))
}

/** The same for people. */
export function explanationText(one: Explanation, terminal: Terminal): string {
  const head = (text: string) => terminal.style('bold', text)
  const mark = (fine: boolean) => terminal.style(fine ? 'green' : 'dim', fine ? 'yes' : 'no ')
  const parts: string[] = []
  if (one.request !== undefined)
    parts.push(`${head('Request')}     ${one.request.method} ${one.request.path} at ${one.request.host} from ${one.request.client}`)
  if (one.candidates.length > 0) parts.push(`${head('Routes')}\n${routesText(one.candidates, mark)}`)
  if (one.rpc !== undefined) parts.push(`${head('RPC')}         ${one.rpc}`)
  if (one.params !== undefined && Object.keys(one.params).length > 0) parts.push(`${head('Variables')}   ${JSON.stringify(one.params)}`)
  if (one.principal !== undefined) parts.push(`${head('Principal')}   ${principalText(one.principal)}`)
  if (one.rules.length > 0)
    parts.push(`${head('Rules')}\n${table(one.rules.map((rule) => ['  ', mark(rule.matched), effectText(rule), rule.id, ruleText(rule)]))}`)
  if (one.decision !== undefined) parts.push(`${head('Decision')}    ${decisionText(one.decision)}`)
  for (const { decider, audit } of one.wouldAsk) parts.push(`${head('Would ask')}   ${decider}${audit ? ' (audit: its answer decides nothing)' : ''}`)
  if (one.limits.length > 0)
    parts.push(`${head('Limits')}\n${table(one.limits.map((limit) => ['  ', limit.limit, limit.key, standingText(limit)]))}\n  ${leftHint}`)
  if (one.destination !== undefined) {
    const { cluster, subset, by, bucket } = one.destination
    parts.push(
      `${head('Destination')} ${cluster}${subset === undefined ? '' : `/${subset}`} (${by}${by === 'sticky' || by === 'random' ? `, bucket ${bucket?.toFixed(4)}` : ''})`,
    )
  }
  for (const note of one.notes ?? []) parts.push(`            ${note}`)
  if (one.handedOn !== undefined) parts.push(`${head('Handed on')}   ${handedOnText(one.handedOn)}`)
  if (one.headers !== undefined)
    parts.push(`${head('Headers')}     added: ${one.headers.added.join(', ') || 'none'}; stripped: ${one.headers.stripped.join(', ') || 'none'}`)
  parts.push(outcomeText(one, terminal))
  return parts.join('\n')
}

/** Routes that came near, and how many did not; all of them when none came near. */
function routesText(candidates: Explanation['candidates'], mark: (fine: boolean) => string): string {
  const isFar = ({ why }: Explanation['candidates'][number]) => why === 'path' || why === 'host'
  const near = candidates.filter((one) => !isFar(one))
  const far = candidates.filter(isFar)
  const shown = near.length === 0 || far.length < 2 ? candidates : near
  const rows = table(shown.map(({ matched, route, why }) => ['  ', mark(matched), route, matched ? '' : why]))
  if (shown === candidates) return rows
  return `${rows}\n    and ${far.length} other routes (${[...new Set(far.map(({ why }) => why))].join(', ')})`
}

function principalText(principal: NonNullable<Explanation['principal']>): string {
  if (principal.kind === 'anonymous') return 'anonymous'
  if (principal.kind === 'caller') return `caller ${principal.name}`
  const by = { jwt: '', introspection: ' (by introspection)', apiKey: '', mtls: ' (by client certificate)' }[principal.by]
  return `${principal.subject} of ${principal.issuer}${by}, scopes ${[...principal.scopes].join(' ') || 'none'}`
}

function handedOnText({ by, name, header, claims }: NonNullable<Explanation['handedOn']>): string {
  const what = by === 'minted' ? `token ${name}` : `what exchange ${name} gives for the token`
  return `${what}, in ${header}${claims === undefined ? '' : `: ${JSON.stringify(claims)}`}`
}

const phases = {
  screen: 'before anybody is identified',
  deny: 'by the deny rules',
  allow: 'by the allow rules',
} as const

function decisionText({ outcome, phase, rule, nearest, audited }: NonNullable<Explanation['decision']>): string {
  const what = outcome === 'permit' ? 'permitted' : 'refused'
  const near = rule === undefined && nearest !== undefined ? `, nearest ${nearest.rule}: ${nearest.what} must be ${nearest.expected}, is ${nearest.actual}` : ''
  return `${what} ${phases[phase]}${rule === undefined ? '' : `: ${rule}`}${near}${audited.length === 0 ? '' : `; audited: ${audited.join(', ')}`}`
}

type Traced = Explanation['rules'][number]

function effectText({ effect, mode }: Traced): string {
  return mode === 'audit' && effect !== 'audit' ? `${effect} (audit)` : effect
}

function ruleText({ skipped, failed }: Traced): string {
  if (skipped) return 'about claims, and there is no credential'
  if (failed === undefined) return ''
  return failed.error === undefined ? `${failed.what} must be ${failed.expected}, is ${failed.actual}` : `${failed.matcher}: ${failed.error}`
}

const leftHint = 'How much of them is left nobody was asked: "sallyport limits show KEY" does.'

const whenText = { early: ', before authentication', failures: ', of failures' } as const

function standingText({ standing, quota, cost, because, when }: Explanation['limits'][number]): string {
  if (standing.kind === 'skipped') return 'not counted: a part of its key is missing'
  const [bound, costs] = [`at most ${quota}`, `, this request costs ${cost}`]
  return `${standing.kind === 'untold' ? bound : `${standing.kind}, ${bound}`}${because === undefined ? '' : ` (${because})`}${when === undefined ? '' : whenText[when]}${cost === 1 ? '' : costs}`
}

function outcomeText({ outcome, permit, wouldAsk }: Explanation, terminal: Terminal): string {
  const judges = wouldAsk.flatMap(({ decider, audit }) => (audit ? [] : [decider]))
  const provided = judges.length === 0 ? '' : `, if ${judges.join(' and ')} allow${judges.length === 1 ? 's' : ''} it too; nobody was asked`
  if (outcome.kind === 'granted') return terminal.style('green', 'Answered: the CORS preflight is granted.')
  if (outcome.kind === 'answered')
    return terminal.style('green', `Answered by the gateway itself, with an OpenAPI document: ${permit} lets it pass${provided}.`)
  if (outcome.kind === 'forwarded') return terminal.style('green', `Forwarded: ${permit} lets it pass${provided}.`)
  const rule = outcome.rule === undefined ? '' : ` by ${outcome.rule}`
  const why = [outcome.message, outcome.reason, outcome.because].filter((text) => text !== undefined && text !== '')
  return terminal.style('red', `Refused${rule}: ${outcome.status} ${outcome.code}. ${[...new Set(why)].join('; ')}`)
}
