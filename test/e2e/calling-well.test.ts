import type { IncomingMessage, ServerResponse } from 'node:http'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { hasRedis, redisHint, startRedis } from '../support/redis.ts'
import { openHttp } from '../support/shop.ts'

const keep = untilTheEnd()

/** What reached the vendor, as it came. */
interface Seen {
  readonly at: number
  readonly method: string
  readonly path: string
  readonly key: string | undefined
}

let vendor = 0
let seen: Seen[] = []
/** What the vendor did, each key once, as vendors do it that know such keys. */
let done = new Set<string>()
let behave: (response: ServerResponse, nth: number, request: IncomingMessage) => void = (response) => response.end('{}')

beforeAll(async () => {
  vendor = await openHttp(keep, (request, response) => {
    const key = request.headers['idempotency-key']
    seen.push({ at: performance.now(), method: request.method ?? '', path: request.url ?? '', key: typeof key === 'string' ? key : undefined })
    done.add(typeof key === 'string' ? key : `${seen.length}`)
    request.resume()
    behave(response, seen.length, request)
  })
})

beforeEach(() => {
  seen = []
  done = new Set()
  behave = (response) => response.end('{}')
})

const house = (services: Readonly<Record<string, string>>, more = '') => `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { egress: { address: "127.0.0.1:0" } }
${more}callers: { shop: { listener: egress } }
egress:
${Object.entries(services)
  .map(
    ([name, said]) => `  ${name}:
    listen: 127.0.0.1:0
    callers: [shop]
${said}
    environments: { dev: { target: "http://127.0.0.1:${vendor}", allowAddresses: [127.0.0.1/32] } }
`,
  )
  .join('')}`

const call = (gateway: Gateway, service: string, init: RequestInit = {}, path = '/') =>
  fetch(`http://127.0.0.1:${gateway.port(`egress:${service}`)}${path}`, init)
const statusOf = async (answer: Promise<Response>) => {
  const { status, body } = await answer
  await body?.cancel()
  return status
}

describe('a vendor over real sockets', () => {
  let gateway: Gateway
  beforeAll(async () => {
    const retry = 'retry: { attempts: 2, on: [connect, reset, 502, 503], methods: [GET], withIdempotencyKey: [POST], budget: 100% }'
    gateway = await openGateway(keep, {
      'all.yaml': house({
        keyed: `    ${retry}\n    idempotency: {}`,
        plain: `    ${retry}`,
        busy: '    quota: { maxRetryAfter: 0s }',
        spent: '    quota: { maxRetryAfter: 0s }',
        unwell: '    quota: { maxRetryAfter: 0s }',
        news: '    cache: {}',
      }),
    })
  })

  it('does a POST once, however often it is tried, when the gateway makes the key', async () => {
    // It does what it is asked for, and its answer is lost.
    behave = (response, nth) => (nth <= 2 ? response.socket?.resetAndDestroy() : response.end('{}'))
    const answer = await call(gateway, 'keyed', { method: 'POST', body: '{"amount":1}' })
    expect([answer.status, answer.headers.get('x-egress-attempts')]).toEqual([200, '3'])
    expect([seen.length, done.size]).toEqual([3, 1])
    expect(new Set(seen.map(({ key }) => key))).toEqual(done)
  })

  it.each([['POST'], ['PUT'], ['PATCH'], ['DELETE']])('gets a %s once that means something else the second time, whatever becomes of it', async (method) => {
    const init = { method, ...(method !== 'DELETE' && { body: '{}' }) }
    behave = (response) => response.socket?.resetAndDestroy()
    expect(await statusOf(call(gateway, 'plain', init))).toBe(502)
    behave = (response) => void response.writeHead(503).end()
    expect(await statusOf(call(gateway, 'plain', init))).toBe(503)
    expect(seen.map((one) => one.method)).toEqual([method, method])
  })

  it.each([
    ['429 with Retry-After', 'busy', 429, { 'retry-after': '30' }, 1],
    ['RateLimit that says nothing is left', 'spent', 200, { ratelimit: '"default";r=0;t=30' }, 1],
    ['two plain 503', 'unwell', 503, {}, 2],
  ])('is left alone after %s', async (_, service, status, headers, answers) => {
    behave = (response) => void response.writeHead(status, headers as Record<string, string>).end()
    for (let i = 0; i < answers; i++) expect(await statusOf(call(gateway, service))).toBe(status)
    behave = (response) => response.end('{}')
    const refused = await call(gateway, service)
    expect([refused.status, refused.headers.get('proxy-status')]).toEqual([503, expect.stringContaining('vendor_paused')])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(seen.length).toBe(answers)
  })

  it('is asked once for what it lets be stored, and then whether it still holds', async () => {
    behave = (response, _nth, request) => {
      response.setHeader('cache-control', request.url === '/fresh' ? 'private, max-age=600' : 'no-cache')
      response.setHeader('etag', '"v1"')
      if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end()
      else response.end('news of the day')
    }
    const ask = async (path: string) => {
      const answer = await call(gateway, 'news', {}, path)
      return [answer.status, await answer.text(), answer.headers.get('cache-status')?.replace(/ttl=\d+/, 'ttl=n')]
    }
    expect([await ask('/fresh'), await ask('/fresh'), await ask('/asked'), await ask('/asked')]).toEqual([
      [200, 'news of the day', 'sallyport; fwd=uri-miss'],
      [200, 'news of the day', 'sallyport; hit; ttl=n'],
      [200, 'news of the day', 'sallyport; fwd=uri-miss'],
      [200, 'news of the day', 'sallyport; fwd=stale; fwd-status=304'],
    ])
    expect(seen.map(({ path }) => path)).toEqual(['/fresh', '/asked', '/asked'])
    expect(await gateway.entry((entry) => JSON.stringify(entry).includes('"cache":"hit"'))).toMatchObject({ status: 200, bytes_out: 15 })
  })
})

const installed = hasRedis()

it.skipIf(!installed)(
  `two gateways on one Redis never exceed a quota at the vendor in any window${installed ? '' : ` (${redisHint})`}`,
  async () => {
    const [points, windowMs] = [10, 3_000]
    const redis = await startRedis()
    keep(() => redis.close())
    const files = { 'all.yaml': house({ pay: `    quota: { vendor: { rate: ${points}/3s }, maxRetryAfter: 10s }` }, 'store: { redis: env:STORE }\n') }
    const gateways = await Promise.all([1, 2].map(() => openGateway(keep, files, { variables: { STORE: redis.url } })))
    behave = (response, nth) => void setTimeout(() => response.end('{}'), (nth * 37) % 120)
    const statuses = await Promise.all(Array.from({ length: points + 4 }, (_, i) => statusOf(call(gateways[i % 2] as Gateway, 'pay'))))
    expect(new Set(statuses)).toEqual(new Set([200]))
    const most = Math.max(...seen.map(({ at }) => seen.filter((other) => other.at >= at && other.at < at + windowMs).length))
    expect([seen.length, most]).toEqual([points + 4, expect.toSatisfy((count: number) => count <= points && count > points / 2)])
  },
  30_000,
)
