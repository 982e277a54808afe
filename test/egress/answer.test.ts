import { describe, expect, it } from 'vitest'
import { buildAnswer, buildRefuse } from '../../src/core/egress/answer.ts'
import type { HttpReply } from '../../src/core/model/call.ts'
import { type Credentialed, openExchange } from '../../src/core/model/exchange.ts'
import { Fault, type FaultCode, faultCatalogue } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { arrival } from '../support/arrival.ts'
import { egressPolicy, live, service, textOf } from '../support/egress.ts'

const secret = 'sk_live_51H8x'

function answered(responses: boolean, secrets: readonly string[] = [secret]): Credentialed {
  const of = service('payments', { mask: { headers: [], jsonPaths: [], responses } })
  // What the rooms before this one would have filled in.
  return Object.assign(openExchange(arrival('GET', '/'), 'rev-9'), {
    id: 'req-1',
    service: of,
    target: live('test', 'https://a.example'),
    secrets,
    sent: { endpoint: 'a.example:443', attempts: 2, startedAt: 0 },
  }) as unknown as Credentialed
}

function reply(headers: readonly (readonly [string, string])[], body?: HttpReply['body'], rest: Partial<HttpReply> = {}): HttpReply {
  return { kind: 'http', status: 200, headers: new FieldList(headers), body, ...rest }
}

const answer = buildAnswer()

describe('an answer', () => {
  it('is marked with what the gateway did, whatever the vendor claims', () => {
    const { headers } = answer(
      answered(false),
      reply([['X-Egress-Env', 'prod'].map((text) => text.toLowerCase()) as [string, string], ['x-egress-service', 'evil']]),
    )
    expect([...headers.entries()]).toEqual([
      ['x-egress-service', 'payments'],
      ['x-egress-env', 'test'],
      ['x-egress-mode', 'live'],
      ['x-egress-rev', 'rev-9'],
      ['x-egress-attempts', '2'],
      ['x-egress-request-id', 'req-1'],
    ])
  })

  it('keeps the vendor’s status, headers and body, and loses what concerns one hop', async () => {
    const given = reply(
      [
        ['content-type', 'text/plain'],
        ['retry-after', '3'],
        ['connection', 'x-hop'],
        ['x-hop', '1'],
        ['proxy-authenticate', 'Basic'],
        ['alt-svc', 'h3=":443"'],
      ],
      new TextEncoder().encode('late'),
      { status: 429 },
    )
    const out = answer(answered(false), given)
    expect(out.status).toBe(429)
    expect(await textOf(out.body)).toBe('late')
    expect(out.headers.get('retry-after')).toBe('3')
    for (const name of ['connection', 'x-hop', 'proxy-authenticate', 'alt-svc']) expect(out.headers.has(name)).toBe(false)
  })

  it('passes a redirect on, unfollowed', () => {
    const out = answer(answered(false), reply([['location', 'https://api.pay.example/']], undefined, { status: 302 }))
    expect([out.status, out.headers.get('location')]).toEqual([302, 'https://api.pay.example/'])
  })

  it.each([
    ['as it is', `key=${secret}`],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['percent-encoded', Buffer.from(secret).toString('hex').replace(/../g, '%$&')],
    ['in hexadecimal', Buffer.from(secret).toString('hex')],
    ['in JSON', JSON.stringify({ secret })],
  ])('never carries the injected value in a header, %s', (_, value) => {
    const out = answer(
      answered(false),
      reply([
        ['x-echo', value],
        ['www-authenticate', `Bearer token="${value}"`],
      ]),
    )
    expect(out.headers.get('x-echo')).toContain('[redacted]')
    expect(out.headers.get('www-authenticate')).toContain('[redacted]')
  })

  it('carries a header that only resembles it', () => {
    expect(answer(answered(false), reply([['x-echo', 'sk_live_51H8']])).headers.get('x-echo')).toBe('sk_live_51H8')
  })

  it('carries the injected value in a body only where nobody asked for masking', async () => {
    const body = new TextEncoder().encode(`"${secret}"`)
    expect(await textOf(answer(answered(false), reply([], body)).body)).toBe(`"${secret}"`)
    expect(await textOf(answer(answered(true), reply([], body)).body)).toBe(`"${'*'.repeat(secret.length)}"`)
  })

  it('is masked as a stream, with the length it announced and without digests of what it was', async () => {
    async function* body(): AsyncGenerator<Uint8Array> {
      for (const char of `a ${secret} b`) yield new TextEncoder().encode(char)
    }
    const out = answer(
      answered(true),
      reply(
        [
          ['content-length', '17'],
          ['content-digest', 'sha-256=:x:'],
          ['content-encoding', 'identity'],
        ],
        body(),
      ),
    )
    expect(await textOf(out.body)).toBe(`a ${'*'.repeat(13)} b`)
    expect(out.headers.get('content-length')).toBe('17')
    expect(out.headers.has('content-digest')).toBe(false)
  })

  it('is masked in its trailers too', () => {
    const out = answer(answered(true), reply([], undefined, { trailers: () => new FieldList([['x-end', secret]]) }))
    expect(out.trailers?.().get('x-end')).toBe('[redacted]')
  })

  it('that comes coded where it has to be masked is given up, and the vendor let go', async () => {
    let stopped = false
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: new Uint8Array(1) }),
        return: async () => {
          stopped = true
          return { done: true as const, value: undefined }
        },
      }),
    }
    expect(() => answer(answered(true), reply([['content-encoding', 'gzip']], body))).toThrow(expect.objectContaining({ code: 'upstream_protocol' }))
    expect(stopped).toBe(true)
    expect(answer(answered(false), reply([['content-encoding', 'gzip']], body)).status).toBe(200)
    expect(answer(answered(true, []), reply([['content-encoding', 'gzip']], body)).status).toBe(200)
  })
})

describe('a refusal', () => {
  const refuse = buildRefuse(egressPolicy({}))
  const codes = Object.keys(faultCatalogue) as FaultCode[]

  it.each(codes)('for %s is problem+json with a Proxy-Status, and never 407', async (code) => {
    const out = refuse(openExchange(arrival('GET', '/'), 'rev-9'), new Fault(code, 'why'))
    expect(out.status).toBe(faultCatalogue[code].http)
    expect(out.status).not.toBe(407)
    expect(JSON.parse(await textOf(out.body))).toMatchObject({ code, status: out.status })
    expect(out.headers.get('proxy-status')).toMatch(new RegExp(`^sallyport; error=[a-z_]+; details="${code}"$`))
    expect(out.headers.get('x-egress-rev')).toBe('rev-9')
  })

  it('says an address was prohibited in the words of RFC 9209', () => {
    expect(refuse(openExchange(arrival('GET', '/'), 'r'), new Fault('address_denied', 'no')).headers.get('proxy-status')).toBe(
      'sallyport; error=destination_ip_prohibited; details="address_denied"',
    )
  })

  it('says as much about the call as was known', () => {
    const { headers } = refuse(answered(false), new Fault('upstream_unavailable', 'no'))
    expect([headers.get('x-egress-service'), headers.get('x-egress-env'), headers.get('x-egress-attempts')]).toEqual(['payments', 'test', '2'])
  })

  it('names the rule outside prod alone', async () => {
    const fault = new Fault('egress_denied', 'no', { rule: 'payments/default' })
    const inProd = buildRefuse(egressPolicy({ environmentClass: 'prod' }))
    expect(await textOf(refuse(answered(false), fault).body)).toContain('payments/default')
    expect(await textOf(inProd(answered(false), fault).body)).not.toContain('payments/default')
  })
})
