import { html } from 'hono/html'
import type { LeftBehind } from '../../core/upstream.ts'
import type { GatewayView } from '../gateway-view.ts'
import { type Html, lengthText, section, spoken, tag } from './parts.ts'

/** Guarded destinations, and which of them have lost their weight. */
export function guardsSection({ guards }: GatewayView): Html | string {
  if (guards.length === 0) return ''
  const rows = guards.map(({ route, destination: { cluster, subset }, aborted, canary, others }) => {
    const state =
      aborted === undefined ? tag('good', 'armed') : html`${tag('bad', 'aborted')} ${spoken(aborted.at)}<br><span class="soft small">${aborted.why}</span>`
    const seen = html`${canary.errors} of ${canary.answers}<br><span class="soft small">others ${others.errors} of ${others.answers}</span>`
    return html`<tr><th scope="row">${route}</th><td><code>${subset === undefined ? cluster : `${cluster}/${subset}`}</code></td><td>${state}</td><td>${seen}</td></tr>`
  })
  return section('Guards', guards.length, ['Route', 'Destination', 'State', 'Errors in its window'], rows, '')
}

/** The page shows so many; `/endpoints` has all. */
const mostEndpoints = 200

/** Every endpoint, and how well it is. */
export function endpointsSection({ endpoints }: GatewayView): Html | string {
  if (endpoints.length === 0) return ''
  const kinds = { healthy: 'good', unhealthy: 'bad', ejected: 'bad', probing: 'warn', unchecked: '' } as const
  const rows = endpoints.slice(0, mostEndpoints).map(
    (one) => html`<tr>
<th scope="row"><code>${one.endpoint}</code>${one.authority === undefined ? '' : html`<br><span class="soft small">${one.authority}</span>`}</th><td>${one.cluster}</td>
<td>${tag(kinds[one.health], one.health)}${one.cause === undefined ? '' : html` <span class="soft small">${one.cause}${one.backInMs === undefined ? '' : `, back in ${lengthText(one.backInMs)}`}</span>`}</td>
<td>${one.active}</td><td>${one.answerMs === undefined ? '' : `${one.answerMs.toFixed(1)} ms`}</td>
</tr>`,
  )
  return section('Endpoints', endpoints.length, ['Endpoint', 'Cluster', 'Health', 'Under way', 'Answers in'], rows, '')
}

/** Breakers and adaptive limits. */
export function shieldsSection({ shields }: GatewayView): Html | string {
  if (shields.length === 0) return ''
  const kinds = { closed: 'good', half_open: 'warn', open: 'bad' } as const
  const rows = shields.map(
    ({ place, breaker, backInMs, limit, active }) => html`<tr>
<th scope="row"><code>${place}</code></th>
<td>${breaker === undefined ? '' : tag(kinds[breaker], breaker.replace('_', ' '))}${backInMs === undefined ? '' : html` <span class="soft small">for ${lengthText(backInMs)}</span>`}</td>
<td>${limit === undefined ? '' : `${active ?? 0} of ${limit}`}</td>
</tr>`,
  )
  return section('Protection', shields.length, ['Place', 'Breaker', 'Under way'], rows, '')
}

/** Where endpoints are found, and how fresh that is. */
export function sourcesSection(view: GatewayView): Html | string {
  if (view.sources.length === 0) return ''
  const rows = view.sources.map(
    ({ source, clusters, endpoints, kept, ageMs, problem, leftBehind }) => html`<tr>
<th scope="row"><code>${source}</code></th>
<td>${clusters.join(', ')}</td>
<td>${endpoints}${kept > 0 ? html` <span class="soft small">(${kept} kept)</span>` : ''}</td>
<td>${ageMs === undefined ? tag('bad', 'never') : lengthText(ageMs)}</td><td class="small">${problem ?? ''}${leftBehind.map(leftBehindText)}</td>
</tr>`,
  )
  return section('Endpoint sources', view.sources.length, ['Source', 'Clusters', 'Endpoints', 'Age', 'Problem'], rows, '')
}

function leftBehindText({ cluster, subset, endpoints, ageMs }: LeftBehind): Html {
  const served = endpoints === 1 ? '1 endpoint' : `${endpoints} endpoints`
  return html`<div>${tag('warn', 'left behind')} <code>${cluster}/${subset}</code> goes on with ${served}; none named for ${lengthText(ageMs)}</div>`
}

/** With so little of its life left somebody should look why it was not replaced, whether it lives for an hour or for a year. */
const lastPart = 0.2

/** The gateway's own certificates, and how long they last. */
export function certificatesSection({ certificates, now }: GatewayView): Html | string {
  if (certificates.length === 0) return ''
  const rows = certificates.map(({ use, subject, spiffe, beginsAt = 0, endsAt, ageMs, problem }) => {
    const leftMs = endsAt === undefined ? undefined : endsAt - now
    const isLate = endsAt !== undefined && endsAt - now < (endsAt - beginsAt) * lastPart
    const ends = leftMs === undefined ? '' : leftMs <= 0 ? tag('bad', 'ended') : tag(isLate ? 'warn' : 'good', `ends in ${lengthText(leftMs)}`)
    const state = problem === undefined ? '' : tag('bad', subject === undefined ? 'none' : 'last good one')
    return html`<tr>
<th scope="row">${use}</th>
<td>${subject ?? ''}${spiffe === undefined ? '' : html`<br><code>${spiffe}</code>`}</td>
<td>${ends}${endsAt === undefined ? '' : html`<br><span class="soft small">${spoken(endsAt)}</span>`}</td>
<td>${lengthText(ageMs)} ago</td><td class="small">${state} ${problem ?? ''}</td>
</tr>`
  })
  return section('Certificates', certificates.length, ['Used by', 'Subject', 'Ends', 'Looked at', 'Problem'], rows, '')
}
