import { waitUntil } from 'cloudflare:workers'
import policy from 'sallyport:policy'
import { Hono } from 'hono'
import { Fault } from '../core/model/fault.ts'
import { Lifeline } from '../core/model/lifeline.ts'
import { problemAnswer } from '../core/model/problem.ts'
import { arrivalOf } from './arrival.ts'
import { type Isolate, openIsolate } from './isolate.ts'
import { responseOf } from './response.ts'
import { SettingsError, type WorkerEnv } from './settings.ts'

/** Open, or why not. Set by the first request; a deployment with other bindings is another isolate. */
let opened: Isolate | SettingsError | undefined

const app = new Hono<{ Bindings: { isolate: Isolate } }>()
app.get('/livez', (c) => c.json({ status: 'ok' }, 200, { 'cache-control': 'no-store' }))
app.get('/readyz', (c) => c.json({ status: 'ok' }, 200, { 'cache-control': 'no-store' }))
app.get('/.well-known/jwks.json', (c) => c.json(c.env.isolate.jwks, 200, { 'cache-control': 'public, max-age=300' }))
app.all('*', (c) => walk(c.req.raw, c.env.isolate))

/** The Worker. While anything it needs is missing it answers every request with 503. */
export default {
  async fetch(request: Request, env: WorkerEnv): Promise<Response> {
    const isolate = await openOnce(env)
    return isolate instanceof SettingsError ? refusal(request) : app.fetch(request, { isolate })
  },
}

/** Two first requests may both build; the first to finish stands. No request waits for a promise of another's. */
async function openOnce(env: WorkerEnv): Promise<Isolate | SettingsError> {
  if (opened !== undefined) return opened
  const fresh = await openIsolate(env, policy).catch((error: unknown) => {
    const refused = error instanceof SettingsError ? error : new SettingsError([error instanceof Error ? `${error.name}: ${error.message}` : 'unknown'])
    console.error(JSON.stringify({ kind: 'event', level: 'error', event: 'worker_refused', reasons: refused.problems }))
    return refused
  })
  opened ??= fresh
  return opened
}

async function walk(request: Request, { edge, clock }: Isolate): Promise<Response> {
  const lifeline = new Lifeline()
  // The platform notices a client that went when it next has something to send it; until then the route's time and the limit on silence hold.
  request.signal.addEventListener('abort', () => lifeline.end(new Fault('client_closed', 'the downstream went away')))
  // The record is written when the request is over, which may be after its client has gone.
  waitUntil(new Promise<void>((resolve) => lifeline.onOver(resolve)))
  return responseOf(await edge(arrivalOf(request, lifeline, clock.ticks())), lifeline, request.method)
}

function refusal(request: Request): Response {
  const fault = new Fault('config_quarantined', 'this edge is not set up')
  const settled = new Lifeline()
  return responseOf(problemAnswer(fault, { id: undefined, showRule: false, head: request.method === 'HEAD' }), settled, request.method)
}
