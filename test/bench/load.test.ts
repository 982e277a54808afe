import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { generate } from '../../bench/load/generate.ts'
import type { LoadPlan } from '../../bench/load/plan.ts'
import { wholeResponse } from '../../bench/load/response.ts'
import { parseWrk, wrkScript } from '../../bench/load/wrk.ts'

const plan: LoadPlan = {
  port: 1,
  connections: 4,
  seconds: 0.2,
  request: { method: 'POST', path: '/v1/orders', headers: { 'content-type': 'application/json' }, body: '{"note":"it\'s"}' },
  tokens: ['a.b.c', 'd.e.f'],
  rate: undefined,
}

describe('reading responses', () => {
  const withLength = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
  const chunked = Buffer.from('HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\na;x=y\r\n0123456789\r\n0\r\n\r\n')

  test.each([
    ['a length', withLength, 200],
    ['chunks', chunked, 404],
  ] as const)('one with %s is whole with its last byte and not before', (_, bytes, status) => {
    expect(wholeResponse(bytes)).toMatchObject({ status, bytes: bytes.length })
    fc.assert(fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (cut) => wholeResponse(bytes.subarray(0, cut)) === undefined))
  })

  test('what follows is left alone', () => {
    expect(wholeResponse(Buffer.concat([withLength, withLength]))?.bytes).toBe(withLength.length)
  })

  test.each(['HTTP/1.1 200 OK\r\n\r\n', 'SSH-2.0\r\n\r\n', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'])(
    '%j cannot be gone on after',
    (text) => {
      expect(() => wholeResponse(Buffer.from(text))).toThrow(/^(not an|a response without|a chunk without)/)
    },
  )
})

describe('the bundled generator', () => {
  const closing: (() => void)[] = []
  afterEach(() => closing.splice(0).forEach((close) => close()))

  async function serve(listener: RequestListener): Promise<number> {
    const server = createServer(listener)
    closing.push(() => {
      server.close()
      server.closeAllConnections()
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    return (server.address() as AddressInfo).port
  }

  test('sends what the plan says, with each token in turn, and counts the answers', async () => {
    const seen = new Set<string>()
    let requests = 0
    const port = await serve((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        requests += 1
        seen.add(`${request.method} ${request.url} ${request.headers.authorization} ${request.headers['content-type']} ${body}`)
        response.end('ok')
      })
    })
    const result = await generate({ ...plan, port })
    expect([...seen].toSorted()).toEqual([
      'POST /v1/orders Bearer a.b.c application/json {"note":"it\'s"}',
      'POST /v1/orders Bearer d.e.f application/json {"note":"it\'s"}',
    ])
    expect(result.errors).toBe(0)
    expect(result.requests).toBeGreaterThan(4)
    expect(requests - result.requests).toBeLessThanOrEqual(plan.connections)
    expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms)
  })

  test('answers other than 2xx, and connections that break, are errors', async () => {
    let requests = 0
    const port = await serve((request, response) => {
      request.resume()
      requests += 1
      if (requests % 2 === 0) response.writeHead(503).end()
      else request.socket.destroy()
    })
    const result = await generate({ ...plan, port, rate: 100 })
    expect(result.requests).toBe(0)
    expect(result.errors).toBeGreaterThan(5)
  })

  test('at a fixed rate a request that waits for a connection has its waiting counted', async () => {
    const port = await serve((request, response) => {
      request.resume()
      setTimeout(() => response.end('ok'), 20)
    })
    const result = await generate({ ...plan, port, connections: 1, seconds: 0.4, rate: 100 })
    // One connection answers at most 50 in a second: of 40 requests half must wait, the last for about 0.4 s.
    expect(result.errors).toBe(0)
    expect(result.requests).toBeGreaterThan(30)
    expect(result.p99Ms).toBeGreaterThan(200)
  })
})

describe('wrk', () => {
  test('its result is found among what else it prints', () => {
    const output = 'Running 2s test\n  1 threads\n\n{"requests":5000,"micros":2000000,"errors":3,"p50":850,"p99":4200}\n'
    expect(parseWrk(output)).toEqual({ requests: 5000, seconds: 2, errors: 3, p50Ms: 0.85, p99Ms: 4.2 })
    expect(() => parseWrk('unable to connect')).toThrow('unable to connect')
  })

  test('the script has every token, and the body as Lua reads it', () => {
    const script = wrkScript(plan)
    expect(script).toContain('{"a.b.c","d.e.f"}')
    expect(script).toContain(String.raw`local body = "{\"note\":\"it's\"}"`)
    expect(() => wrkScript({ ...plan, tokens: ['é'] })).toThrow('ASCII')
  })
})
