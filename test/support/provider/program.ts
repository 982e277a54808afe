import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import type { Provider } from 'oidc-provider'
import { makeProvider } from './configuration.ts'
import type { Answers, IssuerPlan, Order, ProviderFault } from './plan.ts'

// A process with identity providers in it, told what to do over IPC; ends when whoever started it is gone.

interface Issuer {
  plan: IssuerPlan
  provider: Provider
  callback: (request: IncomingMessage, response: ServerResponse) => void
  fault: ProviderFault | undefined
  readonly paths: Record<string, number>
  bytes: number
  posted: string
}

const issuers = new Map<number, Issuer>()

async function open(plan: IssuerPlan): Promise<Answers['open']> {
  const current: { issuer?: Issuer } = {}
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (current.issuer !== undefined) answer(current.issuer, request, response)
  }
  const port = await listen(createServer(handle), plan.port)
  const tls = plan.tls
  const secure = tls === undefined ? undefined : { cert: tls.certificate, key: tls.key, ca: tls.ca, requestCert: true, rejectUnauthorized: false }
  const tlsPort = secure === undefined ? 0 : await listen(createTlsServer(secure, handle), plan.tlsPort)
  const full = { ...plan, port, tlsPort }
  const issuer: Issuer = { plan: full, ...furnish(full, () => current.issuer), fault: undefined, paths: {}, bytes: 0, posted: '' }
  current.issuer = issuer
  issuers.set(port, issuer)
  return { port, tlsPort }
}

function furnish(plan: IssuerPlan, self: () => Issuer | undefined): Pick<Issuer, 'provider' | 'callback'> {
  const provider = makeProvider(`http://127.0.0.1:${plan.port}`, plan, (body) => {
    const issuer = self()
    if (issuer !== undefined) issuer.posted = body
  })
  // What a test did not expect is best seen where the test's output is.
  provider.on('server_error', (_context, error) => process.stderr.write(`${error.stack ?? error.message}\n`))
  return { provider, callback: provider.callback() }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

function answer(issuer: Issuer, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url?.split('?')[0] ?? ''
  issuer.paths[path] = (issuer.paths[path] ?? 0) + 1
  response.on('error', () => {})
  if (path.startsWith('/interaction/')) void issuer.provider.interactionFinished(request, response, { login: { accountId: 'ada' }, consent: {} })
  else if (issuer.fault !== undefined && (path === '/jwks' || issuer.fault === 'error' || issuer.fault === 'html')) faults[issuer.fault](issuer, response)
  else issuer.callback(request, response)
}

const json = { 'content-type': 'application/json' }

const faults: Readonly<Record<ProviderFault, (issuer: Issuer, response: ServerResponse) => void>> = {
  error: (_issuer, response) => void response.writeHead(500, json).end('{"error":"server_error"}'),
  html: (_issuer, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Maintenance</title>'),
  redirect: (_issuer, response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
  empty: (_issuer, response) => void response.writeHead(200, json).end('{"keys":[]}'),
  huge: (issuer, response) => pour(issuer, response.writeHead(200, json)),
}

/** 60 MB that begin like a key set, as fast as they are taken. */
function pour(issuer: Issuer, response: ServerResponse): void {
  const spaces = Readable.from(blanks(issuer), { objectMode: false })
  response.write('{"keys":[')
  pipeline(spaces, response, () => {})
}

function* blanks(issuer: Issuer): Generator<Buffer> {
  const chunk = Buffer.alloc(64 * 1024, ' ')
  for (let sent = 0; sent < 60_000_000; sent += chunk.length) {
    issuer.bytes += chunk.length
    yield chunk
  }
  yield Buffer.from(']}')
}

function issuerAt(port: number): Issuer {
  const issuer = issuers.get(port)
  if (issuer === undefined) throw new Error(`no issuer at ${port}`)
  return issuer
}

async function obey(order: Order): Promise<Answers[Order['do']]> {
  if (order.do === 'open') return open(order.plan)
  const issuer = issuerAt(order.port)
  if (order.do === 'keys') {
    const plan = { ...issuer.plan, keys: order.keys }
    Object.assign(issuer, { plan, ...furnish(plan, () => issuer) })
  } else if (order.do === 'fail') issuer.fault = order.fault
  else if (order.do === 'hits') return { paths: issuer.paths, bytes: issuer.bytes }
  else {
    const client = await issuer.provider.Client.find(order.client)
    await client?.backchannelLogout(order.subject, 'a-session')
    return new URLSearchParams(issuer.posted).get('logout_token') ?? ''
  }
  return undefined
}

// The provider's advice for production is no news here.
console.warn = () => {}
console.info = () => {}

process.on('disconnect', () => process.exit(0))
process.on('message', ({ id, order }: { readonly id: number; readonly order: Order }) => {
  obey(order).then(
    (value) => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
