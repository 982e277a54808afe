import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileAnswer } from '../../src/core/egress/mock/fill.ts'
import { buildMock } from '../../src/core/egress/mock.ts'
import { openExchange, type Placed } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { MockAnswer } from '../../src/core/model/mock-book.ts'
import type { Body } from '../../src/core/model/wire.ts'
import { anyCharacter } from '../support/any-character.ts'
import { arrival, bodyOf } from '../support/arrival.ts'
import { egressPolicy, linked, mockAnswer, service, textOf } from '../support/egress.ts'
import { fakePorts } from '../support/ports.ts'

interface Request {
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string | Body
}

function bench(...book: readonly Partial<MockAnswer>[]) {
  const target = { mode: 'mock', environment: 'dev', mock: book.map((one) => mockAnswer(one)) } as const
  const of = service('payments', { timeoutMs: 5_000 })
  const ports = fakePorts()
  const mock = buildMock(egressPolicy({ services: [linked(of, target)] }), ports)
  const placed = ({ method = 'GET', path = '/', query = '', headers = [], body }: Request): Placed => {
    const request = {
      method,
      target: { path, query, encodedSlash: false, semicolon: false },
      headers: new FieldList(headers),
      body: body === undefined ? undefined : bodyOf(body),
    }
    // Only the slots that the room reads are filled.
    return Object.assign(openExchange(arrival(method, path), 'r'), { request, service: of, target, deadline: Infinity }) as unknown as Placed
  }
  const ask = async (request: Request = {}) => {
    const reply = await mock(placed(request))
    return { status: reply.status, headers: reply.headers, text: await textOf(reply.body), body: reply.body }
  }
  return { ask, mock, placed, ports }
}

const miss = expect.objectContaining({ code: 'mock_miss', status: 501 })

describe('a mock', () => {
  it('answers with the first that fits by method and path', async () => {
    const { ask } = bench(
      { methods: ['POST'], path: '/v1/charges', status: 201, answer: '{"n":1}' },
      { methods: ['GET'], path: '/v1/charges/{id}', answer: '{"n":2}' },
      { path: '/v1/{**}', answer: '{"n":3}' },
    )
    expect(await ask({ method: 'POST', path: '/v1/charges' })).toMatchObject({ status: 201, text: '{"n":1}' })
    expect((await ask({ path: '/v1/charges/7' })).text).toBe('{"n":2}')
    expect((await ask({ method: 'DELETE', path: '/v1/charges/7' })).text).toBe('{"n":3}')
    await expect(ask({ path: '/v2' })).rejects.toEqual(miss)
  })

  it('chooses by members of a JSON body, exactly and by type', async () => {
    const { ask } = bench({ body: { amount: 0, 'card.kind': 'visa' }, answer: '{"n":1}' }, { body: { amount: '0' }, answer: '{"n":2}' })
    const post = (body: string) => ask({ method: 'POST', body }).then((reply) => reply.text)
    expect(await post('{"amount":0,"card":{"kind":"visa"}}')).toBe('{"n":1}')
    expect(await post('{"amount":"0"}')).toBe('{"n":2}')
    for (const body of ['{"amount":0}', '{"amount":false}', '{"amount":null}', '[]', 'null', '"amount"', 'not json', '\ud800', '']) {
      await expect(post(body)).rejects.toEqual(miss)
    }
    await expect(ask()).rejects.toEqual(miss)
  })

  it('never reads a prototype as a body', async () => {
    const { ask } = bench({ body: { 'constructor.name': 'Object' } }, { body: { 'items.length': 1 } })
    await expect(ask({ method: 'POST', body: '{"items":[1]}' })).rejects.toEqual(miss)
  })

  it('reads the body only where an answer needs it', async () => {
    let reads = 0
    const body: Body = { length: 2, bytes: () => (reads++, new TextEncoder().encode('{}')), async *chunks() {} }
    await bench({ answer: '{"a":"{{path.x}}{{header.y}}"}' }).ask({ method: 'POST', body })
    expect(reads).toBe(0)
    await bench({ body: { a: 1 } }, { answer: '{"a":"{{body.a}}"}' }).ask({ method: 'POST', body })
    expect(reads).toBe(1)
  })

  it('reads a body of 1 MiB and no more', async () => {
    const { ask } = bench({ body: { a: 1 } }, {})
    const fitting = JSON.stringify({ b: 'x'.repeat((1 << 20) - 8) })
    expect(fitting.length).toBe(1 << 20)
    expect((await ask({ method: 'POST', body: fitting })).status).toBe(200)
    await expect(ask({ method: 'POST', body: `${fitting} ` })).rejects.toMatchObject({ code: 'body_too_large' })
  })

  it('answers HEAD where it answers GET, without a body', async () => {
    const { ask } = bench({ methods: ['GET'], answer: '{"a":1}' })
    const reply = await ask({ method: 'HEAD' })
    expect([reply.status, reply.body, reply.headers.get('content-length')]).toEqual([200, undefined, '7'])
  })

  it('answers with its own headers and a type', async () => {
    const { ask } = bench(
      { path: '/json', headers: [['X-Vendor', 'mock']] },
      { path: '/text', answer: 'hello' },
      { path: '/xml', answer: '<a/>', headers: [['Content-Type', 'text/xml']] },
    )
    const typed = async (path: string) => (await ask({ path })).headers.get('content-type')
    expect((await ask({ path: '/json' })).headers.get('x-vendor')).toBe('mock')
    expect(await typed('/json')).toBe('application/json')
    expect(await typed('/text')).toBe('text/plain; charset=utf-8')
    expect(await typed('/xml')).toBe('text/xml')
  })
})

describe('a delayed mock', () => {
  const settled = (promise: Promise<unknown>) =>
    promise.then(
      () => 'answered',
      (error: unknown) => (error as Fault).code,
    )

  it('answers after its delay by the clock', async () => {
    const { mock, placed, ports } = bench({ delayMs: 3_000 })
    let done = false
    const waiting = mock(placed({})).then(() => (done = true))
    await Promise.resolve()
    ports.clock.advance(2_999)
    await Promise.resolve()
    expect(done).toBe(false)
    ports.clock.advance(1)
    await waiting
    expect(done).toBe(true)
  })

  it('times out like a slow vendor', async () => {
    const { mock, placed, ports } = bench({ delayMs: 60_000 })
    const waiting = settled(mock(placed({})))
    await Promise.resolve()
    ports.clock.advance(5_000)
    expect(await waiting).toBe('deadline_exceeded')
    expect(ports.clock.pending).toBe(0)
  })

  it('ends with the downstream', async () => {
    const { mock, placed, ports } = bench({ delayMs: 3_000 })
    const x = placed({})
    const waiting = settled(mock(x))
    await Promise.resolve()
    x.lifeline.end(new Fault('client_closed', 'gone'))
    expect(await waiting).toBe('client_closed')
    expect(ports.clock.pending).toBe(0)
  })
})

describe('a template', () => {
  it('is filled from path, query, header and body', async () => {
    const { ask } = bench({ path: '/v1/{id}', answer: '{"id":"{{path.id}}","q":"{{ query.q }}","h":"{{header.X-Tag}}","b":"{{body.a.0.b}}"}' })
    const reply = await ask({ method: 'POST', path: '/v1/a%20b', query: 'q=1+2&q=3', headers: [['x-tag', 't']], body: '{"a":[{"b":"deep"}]}' })
    expect(JSON.parse(reply.text)).toEqual({ id: 'a b', q: '1 2', h: 't', b: 'deep' })
  })

  it('keeps the type of a body member that is the whole string', async () => {
    const { ask } = bench({
      answer: '{"amount":"{{body.amount}}","text":"is {{body.amount}}","bare":{{body.amount}},"none":"{{body.none}}","list":"{{body.list}}"}',
    })
    const reply = await ask({ method: 'POST', body: '{"amount":1200,"list":[1,"a"]}' })
    expect(JSON.parse(reply.text)).toEqual({ amount: 1200, text: 'is 1200', bare: 1200, none: null, list: [1, 'a'] })
  })

  it.each([
    ['a quote', '","admin":true,"x":"'],
    ['a backslash', '\\'],
    ['a backslash and a quote', '\\"'],
    ['a line end', 'a\nb'],
    ['a placeholder', '{{header.authorization}}'],
    ['a replacement pattern', "$&$1$`$'"],
    ['a script', '</script><script>'],
    ['a separator', '\u2028'],
  ])('takes %s as text', async (_, value) => {
    const { ask } = bench({ answer: '{"a":"{{query.v}}","b":"<{{query.v}}>","c":"\\"{{query.v}}\\""}' })
    const reply = await ask({ query: `v=${encodeURIComponent(value)}`, headers: [['authorization', 'Bearer mine']] })
    expect(JSON.parse(reply.text)).toEqual({ a: value, b: `<${value}>`, c: `"${value}"` })
  })

  it('stays JSON of the same shape whatever is put in', () => {
    const filler = compileAnswer('{"a":"{{query.v}}","b":["x{{query.v}}y",{{query.v}}],"c":"\\\\{{query.v}}"}', 'application/json')
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (value) => {
        const none = () => undefined
        const text = filler.render({ path: none, header: none, body: none, query: () => value })
        expect(JSON.parse(text)).toEqual({ a: value, b: [`x${value}y`, value], c: `\\${value}` })
      }),
    )
  })

  it('leaves what is no placeholder as it is', () => {
    for (const text of ['{{}}', '{{path}}', '{{env.HOME}}', '{{ path. }}', '{path.id}', '{{path.a b}}']) {
      expect(compileAnswer(text, 'text/plain').render({ path: () => 'X', query: () => 'X', header: () => 'X', body: () => 'X' })).toBe(text)
    }
  })
})
