import { html, raw } from 'hono/html'
import { highestCostOf } from '../../core/model/cost.ts'
import type { WeightedDestination } from '../../core/model/destination.ts'
import { type EgressTarget, modeOf } from '../../core/model/egress-target.ts'
import type { Route, RouteLimit } from '../../core/model/route.ts'
import { formatAuthority } from '../../core/net.ts'
import type { LinkedEgress } from '../../core/policy/linked/egress.ts'
import type { Limit } from '../../core/policy/linked/limits.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { GatewayView } from '../gateway-view.ts'
import { diagnosticText, quarantinedIn } from './detail.ts'
import { certificatesSection, endpointsSection, guardsSection, shieldsSection, sourcesSection } from './page-upstream.ts'
import { type Html, lengthText, list, section, spoken, tag } from './parts.ts'
import { style } from './style.ts'

/** The status page: what is in force, in one look. Everything from the policies is escaped by `html`. */
export function statusPage(view: GatewayView): Html {
  const { policy } = view.snapshot
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sallyport · ${policy.environment}</title>
<style>${raw(style)}</style>
</head>
<body><main>
${heading(view)}
${notices(view)}
${facts(view)}
${routesSection(policy)}
${egressSection(policy)}
${guardsSection(view)}
${endpointsSection(view)}
${shieldsSection(view)}
${keySetsSection(view)}
${sourcesSection(view)}
${certificatesSection(view)}
${diagnosticsSection(view)}
<footer>As of ${spoken(view.now)}. Reload the page for newer figures.</footer>
</main></body>
</html>`
}

function heading(view: GatewayView): Html {
  const { environment, environmentClass } = view.snapshot.policy
  return html`<header>
<h1>Sally<span>port</span></h1>
${tag(environmentClass === 'prod' ? 'warn' : '', `${environment} · ${environmentClass}`)}
${tag(view.phase === 'serving' ? 'good' : 'warn', view.phase)}
<nav><a href="/reference">API reference</a><a href="/readyz">readiness</a><a href="/metrics">metrics</a><a href="/policy/diagnostics">diagnostics</a></nav>
</header>`
}

/** What somebody should act on, before anything else. */
function notices(view: GatewayView): Html[] {
  const { lastLoad } = view
  const found: Html[] = []
  if (lastLoad.outcome === 'failed') {
    const errors = lastLoad.diagnostics.filter((one) => one.severity === 'error')
    found.push(notice('bad', `The last load failed at ${spoken(lastLoad.at)}; revision ${view.snapshot.revision} still serves.`, errors.map(diagnosticText)))
  }
  const broken = quarantinedIn(view.snapshot.policy)
  if (broken.length > 0) {
    found.push(
      notice(
        'warn',
        'Quarantined: these answer 503 until their files are mended.',
        broken.map((one) => `${one.object}: ${one.reason}`),
      ),
    )
  }
  if (view.warnings.length > 0) found.push(notice('warn', 'About this process', view.warnings))
  return found
}

function notice(kind: string, title: string, lines: readonly string[]): Html {
  return html`<div class="notice ${kind}"><p>${title}</p><ul class="mono">${lines.map((line) => html`<li>${line}</li>`)}</ul></div>`
}

function facts(view: GatewayView): Html {
  const rows: readonly (readonly [string, string | Html])[] = [
    ['Revision', html`<code>${view.snapshot.revision}</code>`],
    ['In force since', spoken(view.publishedAt)],
    ['Up for', lengthText(view.now - view.startedAt)],
    ['Requests in flight', String(view.inFlight)],
    ...(view.workers === undefined ? [] : [['Worker processes', `${view.workers.serving} of ${view.workers.wanted}`] as const]),
  ]
  const bound = view.listeners.map(({ name, host, port }) => html`<li>${name} <code>${formatAuthority(host, port)}</code></li>`)
  return html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
<div class="wide"><dt>Listeners</dt><dd><ul>${bound}</ul></dd></div></dl>`
}

function routesSection(policy: Policy): Html {
  const rows = policy.routes.map((route) => routeRow(policy, route))
  return section('Routes', policy.routes.length, ['Route', 'Takes', 'Access', 'Limits', 'Goes to'], rows, 'No routes: every request gets 404.')
}

function routeRow(policy: Policy, route: Route): Html {
  return html`<tr>
<th scope="row">${route.name}${route.quarantined === undefined ? '' : html`<br>${tag('bad', 'quarantined')}`}</th>
<td>${takes(route)}</td>
<td>${list(route.access.map((name) => accessText(policy, name)))}</td>
<td>${list(route.limits.map((use) => limitText(policy, use)))}</td>
<td>${route.openapi === undefined ? destinations(route.split) : html`an OpenAPI document of ${route.openapi.routes.join(', ')}<br>`}<span class="soft small">timeout ${lengthText(route.timeoutMs)}</span></td>
</tr>`
}

function takes(route: Route): Html {
  const { match } = route
  const hosts = match.hosts.length === 0 ? 'any host' : match.hosts.join(', ')
  if (match.grpc !== undefined) {
    const count = match.grpc.rpcs.length
    return html`<code>${match.grpc.service}</code> ${tag('', 'gRPC')}<br><span class="soft small">${hosts} · ${count} ${count === 1 ? 'method' : 'methods'}</span>`
  }
  const methods = match.methods.length === 0 ? 'any method' : match.methods.join(', ')
  return html`<code>${match.path ?? match.seen?.paths.join(', ') ?? ''}</code><br><span class="soft small">${hosts} · ${methods}</span>`
}

function accessText(policy: Policy, name: string): Html {
  const access = policy.access[name]
  if (access === undefined) return html`${name}`
  const count = (effect: string) => access.rules.filter((rule) => rule.effect === effect).length
  const parts = ['allow', 'deny', 'audit'].filter((effect) => count(effect) > 0).map((effect) => `${count(effect)} ${effect}`)
  const open = access.rules.some((rule) => rule.effect === 'allow' && rule.matcher.anonymous)
  return html`${name} ${open ? tag('warn', 'public') : ''}<br><span class="soft small">${parts.join(', ')}</span>`
}

function limitText(policy: Policy, use: RouteLimit): Html {
  const { name, cost } = use
  const most = highestCostOf(use)
  const costs = most > cost ? `, costs up to ${most}` : cost > 1 ? `, costs ${cost}` : ''
  const limit = policy.limits[name]
  const rate = limit === undefined ? '' : rateText(limit)
  return html`${name}<br><span class="soft small">${rate}${costs}${limit?.counts === 'failures' ? ', of failures' : ''}${limit?.early === true ? ', before authentication' : ''}${limit?.mode === 'audit' ? ', audit only' : ''}</span>`
}

function rateText(limit: Limit): string {
  const { claimed } = limit
  if (claimed === undefined) return plainRateText(limit)
  const others = claimed.kind === 'map' ? claimed.values.map(({ value, points }) => `${value} ${points}`).join(', ') : `up to ${claimed.ceiling}`
  return `${plainRateText(limit)}; by ${claimed.claim}: ${others}`
}

function plainRateText({ algorithm, points, windowMs, burst }: Limit): string {
  if (algorithm.kind === 'concurrency') return `${points} at a time`
  if (algorithm.kind === 'calendar') return `${points} a ${algorithm.per} (${algorithm.zone})`
  const rate = `${points} in ${lengthText(windowMs)}`
  if (algorithm.kind === 'gcra') return `${rate}, evenly, ${burst} at once`
  return burst > 0 ? `${rate}, burst ${burst}` : rate
}

function destinations(split: readonly WeightedDestination[]): Html {
  const total = split.reduce((sum, { weight }) => sum + weight, 0)
  const share = (weight: number) => (total === 0 ? 0 : Math.round((weight / total) * 1000) / 10)
  const rows = split.map(({ cluster, subset, weight, pin }) => {
    const name = subset === undefined ? cluster : `${cluster}/${subset}`
    return html`<li><code>${name}</code>${split.length > 1 ? ` ${share(weight)} %` : ''}${pin === undefined ? '' : html` ${tag('', 'pinned')}`}</li>`
  })
  const bar = split.length > 1 ? html`<div class="bar">${split.map(({ weight }) => html`<i style="width:${share(weight)}%"></i>`)}</div>` : ''
  return html`<ul>${rows}</ul>${bar}`
}

function egressSection(policy: Policy): Html | string {
  const services = Object.values(policy.egress)
  if (services.length === 0) return ''
  const heads = [
    'Service',
    'Way in',
    'Callers',
    ...policy.environments.map((name) => (name === policy.environment ? html`${name} ${tag('good', 'here')}` : name)),
  ]
  return section(
    'Egress',
    services.length,
    heads,
    services.map((linked) => egressRow(policy, linked)),
    '',
  )
}

function egressRow(policy: Policy, { service, targets }: LinkedEgress): Html {
  const ways = [service.listen, service.host].filter((way) => way !== undefined)
  return html`<tr>
<th scope="row">${service.name}${service.quarantined === undefined ? '' : html`<br>${tag('bad', 'quarantined')}`}</th>
<td>${list(ways.map((way) => html`<code>${way}</code>`))}</td>
<td>${service.callers.join(', ')}</td>
${policy.environments.map((environment) => html`<td>${target(targets[environment])}</td>`)}
</tr>`
}

function target(one: EgressTarget | undefined): Html | string {
  if (one === undefined) return html`<span class="soft">no target</span>`
  if (one.mode !== 'live') return tag('', one.mode)
  return html`${tag('good', modeOf(one))}<br><code>${one.origin}</code>${one.credential === undefined ? '' : html`<br><span class="soft small">credential: ${one.credential.kind}</span>`}`
}

function keySetsSection(view: GatewayView): Html | string {
  if (view.keySets.length === 0) return ''
  const rows = view.keySets.map(
    (one) => html`<tr>
<th scope="row"><code>${one.issuer}</code></th>
<td>${tag(one.state === 'fresh' ? 'good' : one.state === 'unread' ? '' : one.state === 'stale' ? 'warn' : 'bad', one.state)}</td>
<td>${one.keys}</td><td>${one.ageMs === undefined ? '' : lengthText(one.ageMs)}</td><td class="small">${one.problem ?? ''}</td>
</tr>`,
  )
  return section('Key sets', view.keySets.length, ['Issuer', 'State', 'Keys', 'Age', 'Problem'], rows, '')
}

function diagnosticsSection(view: GatewayView): Html {
  const { lastLoad, inForce } = view
  const outcome = html`${tag(lastLoad.outcome === 'failed' ? 'bad' : 'good', lastLoad.outcome)} <span class="soft">${spoken(lastLoad.at)}</span>`
  const lines = inForce.map((one) => html`<li>${diagnosticText(one)}</li>`)
  const body = lines.length === 0 ? html`<p class="soft">The policies in force have no warnings.</p>` : html`<ul class="list mono">${lines}</ul>`
  return html`<h2>Last load</h2><p>${outcome}</p>${body}`
}
