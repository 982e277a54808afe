import type { HttpBindings } from '@hono/node-server'
import type { Context, Hono } from 'hono'
import { listEgress } from '../../core/egress/explain.ts'
import { problemType } from '../../core/model/problem.ts'
import { parseDuration } from '../../core/policy/units.ts'
import type { GatewayView } from '../gateway-view.ts'
import type { SwitchDesk, SwitchOutcome } from '../switching.ts'
import { isFromPage } from './refusal.ts'

/** Adds what is in force for egress services, and the way to switch them. */
export function addEgress(app: Hono, view: () => GatewayView | Promise<GatewayView>, desk: SwitchDesk): void {
  app.get('/egress', async (c) => {
    const { revision, policy } = (await view()).snapshot
    c.header('etag', `"${revision}"`)
    return c.json({ revision, environment: policy.environment, environmentClass: policy.environmentClass, services: listEgress(policy) })
  })
  app.post('/egress/:service/switch', async (c) => {
    if (isFromPage(c)) return answer(403, 'forbidden', 'this is not for web pages')
    // What a page can send without asking first is no JSON.
    if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) return answer(415, 'media_type_unsupported', 'the body is JSON')
    const revision = revisionFrom(c.req.header('if-match'))
    if (revision === undefined) return answer(428, 'revision_required', 'say which revision you saw: If-Match: "…", as GET /egress answers it')
    // The library for it comes with the first switch: most processes never see one.
    const { readSwitch } = await import('./switch-body.ts')
    const read = readSwitch(await c.req.json().catch(() => undefined))
    if (typeof read === 'string') return answer(400, 'request_invalid', read)
    const { environment, by, reason, ttl, dryRun = false } = read
    const ttlMs = ttl === undefined ? undefined : parseDuration(ttl)
    return outcomeAnswer(await desk.switch({ service: c.req.param('service'), environment, by, reason, ttlMs, dryRun, revision, from: peerOf(c) }))
  })
}

/** One entity tag, strong (RFC 9110 section 13.1.1); `*` would be no check at all. */
function revisionFrom(ifMatch: string | undefined): string | undefined {
  return /^"?([0-9a-zA-Z.]{1,2000})"?$/.exec(ifMatch?.trim() ?? '')?.[1]
}

/** Undefined where there is no connection: in tests of the app alone. */
function peerOf(c: Context): string | undefined {
  return (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress
}

function outcomeAnswer(outcome: SwitchOutcome): Response {
  if (outcome.kind === 'refused') return answer(outcome.status, outcome.code, outcome.message)
  const { kind, endsAt, ...facts } = outcome
  const said = { switched: kind === 'switched' && facts.waiting.length === 0, dryRun: kind === 'dry_run', ...facts }
  return Response.json(
    { ...said, endsAt: endsAt === undefined ? null : new Date(endsAt).toISOString() },
    { status: facts.waiting.length === 0 ? 200 : 202, headers: { etag: `"${facts.revision}"` } },
  )
}

function answer(status: number, code: string, detail: string): Response {
  return Response.json({ type: problemType(code), status, detail, code }, { status, headers: { 'content-type': 'application/problem+json' } })
}
