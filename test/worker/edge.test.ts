import { get, type IncomingMessage } from 'node:http'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { http1, type Sent } from '../support/clients.ts'
import { testEdgePolicy } from '../support/edge-policy.ts'
import { untilTheEnd } from '../support/keep.ts'
import { edgeIssuer, openWorker, type RunningWorker } from '../support/worker.ts'

const keep = untilTheEnd()
const origin = 'http://localhost:9'
let worker: RunningWorker
/** What the gateway behind does with the next call. */
let behind: (request: Request) => Response | Promise<Response>
let calls: Request[] = []

beforeAll(async () => {
  worker = await openWorker(keep, {
    policy: testEdgePolicy(),
    vars: { ORIGIN: origin },
    outbound: (request) => {
      calls.push(request)
      return behind(request)
    },
  })
})

beforeEach(() => {
  calls = []
  behind = () => new Response('from behind')
})

const ask = (sent: Sent) => http1(worker.port, sent)

async function edgeToken(method: string, path: string) {
  const answer = await ask({ method, path })
  const [call] = calls
  return { answer, token: call?.headers.get('x-sallyport-edge') ?? '' }
}

async function publishedKeys(): Promise<JSONWebKeySet> {
  const published = await ask({ path: '/.well-known/jwks.json' })
  expect(published.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'public, max-age=300' })
  return JSON.parse(published.text) as JSONWebKeySet
}

describe('the edge token', () => {
  it('is verified with the published key: for this origin, for a minute, for this method and canonical path', async () => {
    const { answer, token } = await edgeToken('GET', '/open/%7ea?q=1')
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(await publishedKeys()), {
      issuer: edgeIssuer,
      audience: origin,
      algorithms: ['ES256'],
      typ: 'sallyport-edge+jwt',
      requiredClaims: ['exp', 'iat', 'jti', 'req'],
    })
    expect(protectedHeader.kid).toBeDefined()
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60)
    expect(payload.jti).toBe(answer.headers['x-request-id'])
    expect(payload['req']).toBe(await sha256('GET /open/~a'))
    expect(decodeProtectedHeader(token).alg).toBe('ES256')
  })

  it('vouches for no other request: every one has its own', async () => {
    const first = await edgeToken('GET', '/open/a')
    calls = []
    const second = await edgeToken('POST', '/open/a')
    expect(first.token).not.toBe(second.token)
  })

  it('comes with the public half of the key alone', async () => {
    const { keys } = await publishedKeys()
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']])
  })
})

describe('the hand-over', () => {
  it('says who asked, for what name, and how long they wait', async () => {
    await ask({
      path: '/open/a',
      headers: [
        ['host', 'api.example.com'],
        ['grpc-timeout', '5S'],
        ['authorization', 'Bearer theirs'],
      ],
    })
    const [call] = calls
    expect(call?.url).toBe(`${origin}/open/a`)
    expect(Object.fromEntries(call?.headers ?? [])).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'api.example.com',
      'x-forwarded-proto': 'http',
      authorization: 'Bearer theirs',
    })
    expect(Number(call?.headers.get('x-server-timeout'))).toBeGreaterThan(4)
    expect(Number(call?.headers.get('x-server-timeout'))).toBeLessThanOrEqual(5)
  })

  it('hands nothing of the hop to the platform on', async () => {
    await ask({
      path: '/open/a',
      headers: [
        ['cf-ipcountry', 'XX'],
        ['true-client-ip', '203.0.113.1'],
        ['cdn-loop', 'x'],
      ],
    })
    const names = [...(calls[0]?.headers.keys() ?? [])]
    expect(names).not.toContain('cf-ipcountry')
    expect(names).not.toContain('true-client-ip')
  })

  it('follows no redirect', async () => {
    behind = () => new Response(null, { status: 302, headers: { location: 'http://169.254.169.254/' } })
    const answer = await ask({ path: '/open/a' })
    expect(answer).toMatchObject({ status: 302, headers: { location: 'http://169.254.169.254/' } })
    expect(calls).toHaveLength(1)
  })

  it('keeps every cookie and drops what is of one hop', async () => {
    behind = () =>
      new Response('x', {
        headers: [
          ['set-cookie', 'a=1, b'],
          ['set-cookie', 'c=2'],
          ['server', 'inside'],
          ['keep-alive', 'timeout=5'],
        ],
      })
    const raw = await rawHeaders('/open/a')
    expect(raw.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value)).toEqual(['a=1, b', 'c=2'])
    expect(raw.map(([name]) => name.toLowerCase())).not.toContain('server')
  })

  it('answers native gRPC with UNIMPLEMENTED, and asks nobody', async () => {
    const answer = await ask({
      method: 'POST',
      path: '/shop.v1.Orders/GetOrder',
      headers: [
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
      ],
      body: '\0\0\0\0\0',
    })
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/grpc', 'grpc-status': '12' } })
    expect(calls).toEqual([])
  })

  it.each([
    [521, 503, 'upstream_unavailable'],
    [530, 503, 'upstream_unavailable'],
    [524, 504, 'deadline_exceeded'],
  ])('knows that %i is not the gateway', async (status, seen, code) => {
    behind = () => new Response('error code', { status })
    const answer = await ask({ path: '/open/a' })
    expect(answer.status).toBe(seen)
    expect(JSON.parse(answer.text)).toMatchObject({ code })
  })

  it('streams a request body through', async () => {
    behind = async (request) => new Response(await request.text())
    const answer = await ask({ method: 'POST', path: '/open/a', headers: [['transfer-encoding', 'chunked']], body: '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n' })
    expect(answer.text).toBe('abcde')
  })
})

describe('a limit at the edge', () => {
  it('refuses what is over it, and tells no numbers that it does not have', async () => {
    const answers = []
    // Twice the limit: wherever the window ends, one of them is over.
    for (let i = 0; i < 8; i++) answers.push(await ask({ path: '/limited' }))
    const refused = answers.find(({ status }) => status === 429)
    expect(answers[0]?.status).toBe(200)
    expect(JSON.parse(refused?.text ?? '{}')).toMatchObject({ code: 'rate_limited', limit: 'three' })
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThanOrEqual(10)
    for (const { headers } of answers) expect(headers['ratelimit'] ?? headers['ratelimit-policy']).toBeUndefined()
  })
})

describe('the Worker', () => {
  it.each(['/livez', '/readyz'])('answers %s itself', async (path) => {
    expect(await ask({ path })).toMatchObject({ status: 200, text: '{"status":"ok"}' })
    expect(calls).toEqual([])
  })

  it('writes one record for a request', async () => {
    const { headers } = await ask({ path: '/open/recorded?token=hidden' })
    await vi.waitFor(() =>
      expect(recordOf('/open/recorded')).toMatchObject({ id: headers['x-request-id'], listener: 'edge', status: 200, route: 'open', ending: 'whole' }),
    )
    expect(JSON.stringify(recordOf('/open/recorded'))).not.toContain('hidden')
  })

  it('calls nobody but its origin', () => {
    expect(worker.calls.filter((url) => !url.startsWith(`${origin}/`))).toEqual([])
    expect(worker.calls.length).toBeGreaterThan(10)
  })
})

function recordOf(path: string) {
  return worker.logs().find((record) => record['path'] === path)
}

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('hex')
}

function open(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: worker.port, path }, resolve).on('error', reject)
  })
}

async function rawHeaders(path: string): Promise<readonly (readonly [string, string])[]> {
  const response = await open(path)
  response.resume()
  const { rawHeaders: flat } = response
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []))
}
