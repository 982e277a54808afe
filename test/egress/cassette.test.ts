import { describe, expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { HttpReply } from '../../src/core/model/call.ts'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import type { CassetteUse } from '../../src/core/model/egress-target.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { type ArrivalOptions, arrival, type HeaderInput } from '../support/arrival.ts'
import { found } from '../support/canary.ts'
import { fakeCassettes } from '../support/cassettes.ts'
import { bearer, caller, egressPolicy, fakeVendor, linked, live, service, textOf } from '../support/egress.ts'
import { fakePorts, fakeSecrets } from '../support/ports.ts'

const key = 'sk_test_Canary/41+"x'
const encode = (text: string) => new TextEncoder().encode(text)
const host = { Host: 'pay.egress.internal' }

interface House {
  readonly use?: Partial<CassetteUse>
  readonly mask?: Partial<EgressService['mask']>
  readonly answer?: () => Partial<HttpReply>
  /** The ground has no place for cassettes. */
  readonly bare?: boolean
}

/** A service that records in test and replays in dev. */
function house({ use = {}, mask = {}, answer = () => ({}), bare = false }: House = {}) {
  const cassettes = fakeCassettes()
  const vendor = fakeVendor(answer)
  const cassette = { name: 'pay', headers: [], body: true, ...use }
  const pay = linked(
    service('pay', { mask: { headers: [], jsonPaths: [], responses: false, ...mask } }),
    live('test', 'https://sandbox.pay.example', { credential: bearer('env:KEY'), record: cassette }),
    { mode: 'replay', environment: 'dev', cassette },
  )
  const ports = fakePorts({ secrets: fakeSecrets({ 'env:KEY': key }), ...(bare ? {} : { cassettes }) })
  const walk = buildEgress(egressPolicy({ services: [pay], callers: [caller('checkout', { mayChooseEnv: ['test', 'dev'] })] }), vendor, ports)
  const ask = async (environment: string, method: string, target: string, headers: HeaderInput = {}, options: ArrivalOptions = {}) => {
    const all: HeaderInput = [...Object.entries({ ...host, 'X-Egress-Env': environment }), ...(Array.isArray(headers) ? headers : Object.entries(headers))]
    const reply = await walk(arrival(method, target, all, { listener: 'egress', scheme: 'http', peer: '127.0.0.1', ...options }))
    return { status: reply.status, headers: reply.headers, text: await textOf(reply.body) }
  }
  const files = () => [...(cassettes.kept.get('pay')?.values() ?? [])]
  return { ask, files, vendor, cassettes, ports }
}

const json = { 'content-type': 'application/json' }
const answered = (text: string, headers: Readonly<Record<string, string>> = json, status = 200) => ({
  status,
  headers: new FieldList(Object.entries(headers)),
  body: encode(text),
})

describe('a recorded call', () => {
  it('is answered by the vendor, written down, and answered from the cassette in dev without a call', async () => {
    const { ask, vendor, files } = house({ answer: () => answered('{"id":7,"big":12345678901234567890}', { ...json, 'x-page': '2' }, 201) })
    const recorded = await ask('test', 'POST', '/v1/charges?b=2&a=1', json, { body: '{"amount":5,"to":"x"}' })
    expect([recorded.status, recorded.headers.get('x-egress-mode')]).toEqual([201, 'record'])
    const replayed = await ask('dev', 'POST', '/v1/charges?a=1&b=2', json, { body: '{ "to": "x", "amount": 5 }' })
    expect([replayed.status, replayed.text]).toEqual([201, '{"id":7,"big":12345678901234567890}'])
    expect([replayed.headers.get('x-page'), replayed.headers.get('x-egress-mode'), replayed.headers.get('x-egress-attempts')]).toEqual(['2', 'replay', '0'])
    expect(vendor.calls.length).toBe(1)
    expect(files().length).toBe(1)
  })

  it('is asked for uncoded, so that what is written can be read', async () => {
    const { ask, vendor } = house()
    await ask('test', 'GET', '/', { 'accept-encoding': 'gzip' })
    expect(vendor.calls[0]?.headers.all('accept-encoding')).toEqual(['identity'])
  })

  it('is written when its last byte is here, and not when it broke off', async () => {
    async function* whole() {
      yield encode('{"a"')
      yield encode(':1}')
    }
    async function* torn() {
      yield encode('{"a"')
      throw new Error('torn')
    }
    let body: () => AsyncIterable<Uint8Array> = whole
    const { ask, files, ports } = house({ answer: () => ({ headers: new FieldList(Object.entries(json)), body: body() }) })
    expect((await ask('test', 'GET', '/')).text).toBe('{"a":1}')
    expect(files().length).toBe(1)
    body = torn
    await expect(ask('test', 'GET', '/')).rejects.toThrow('torn')
    expect(files().length).toBe(1)
    expect(ports.meter.total('sallyport_egress_recordings_total', { service: 'pay', environment: 'test', outcome: 'broken' })).toBe(1)
  })

  it('passes and is not written when its answer is long or coded', async () => {
    let reply: Partial<HttpReply> = { body: new Uint8Array((1 << 20) + 1) }
    const { ask, files, ports } = house({ answer: () => reply })
    expect((await ask('test', 'GET', '/')).text.length).toBe((1 << 20) + 1)
    reply = answered('x', { 'content-encoding': 'gzip' })
    expect((await ask('test', 'GET', '/')).status).toBe(200)
    expect(files()).toEqual([])
    const outcome = (name: string) => ports.meter.total('sallyport_egress_recordings_total', { service: 'pay', environment: 'test', outcome: name })
    expect([outcome('too_large'), outcome('coded')]).toEqual([1, 1])
  })

  it('is refused where there is no place for cassettes, and nothing is called', async () => {
    const { ask, vendor } = house({ bare: true })
    expect((await ask('test', 'GET', '/')).status).toBe(501)
    expect((await ask('dev', 'GET', '/')).status).toBe(501)
    expect(vendor.calls).toEqual([])
  })

  it('is refused in prod, whatever the policies say, and nothing is called', async () => {
    const vendor = fakeVendor()
    const target = live('prod', 'https://pay.example', { record: { name: 'pay', headers: [], body: true } })
    const policy = egressPolicy({ services: [linked(service('pay'), target)], environmentClass: 'prod' })
    const walk = buildEgress(policy, vendor, fakePorts({ cassettes: fakeCassettes() }))
    const reply = await walk(arrival('GET', '/', host, { listener: 'egress', scheme: 'http', peer: '127.0.0.1' }))
    expect([reply.status, vendor.calls]).toEqual([501, []])
  })
})

describe('a cassette', () => {
  const canaries = {
    key,
    mine: 'caller-Own/Token+7',
    cookie: 'session=9f8e7d6c5b',
    pan: '4242424242424242',
    refresh: 'rt-0123456789abcdef',
    password: 'hunter2-hunter2',
  }
  const spelled = (secret: string) =>
    [
      secret,
      Buffer.from(secret).toString('base64'),
      Buffer.from(`ab${secret}`).toString('base64'),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('hex'),
      JSON.stringify(secret).slice(1, -1),
    ] as const
  const echo = [...spelled(canaries.key), ...spelled(canaries.mine), ...spelled('9f8e7d6c5b')]

  it.each([
    [
      'JSON',
      'application/json',
      JSON.stringify({ echo, card: { number: canaries.pan }, refresh_token: canaries.refresh, nested: [{ Password: canaries.password }] }),
    ],
    ['text', 'text/plain', `${echo.join('\n')}\n/cb?refresh_token=${canaries.refresh}&password=${canaries.password}`],
    [
      'a form',
      'application/x-www-form-urlencoded',
      new URLSearchParams([
        ...echo.map((one): [string, string] => ['echo', one]),
        ['refresh_token', canaries.refresh],
        ['password', canaries.password],
      ]).toString(),
    ],
    ['JSON that is none', 'application/json', `{"broken": "${echo.join(' ')}`],
    ['bytes', 'application/octet-stream', `\0${echo.join('\0')}`],
  ])('holds no secret in any spelling when both bodies are %s', async (_, type, body) => {
    const { ask, files } = house({
      mask: { jsonPaths: ['$.card.number'], headers: ['x-internal'] },
      answer: () =>
        answered(body, {
          'content-type': type,
          'set-cookie': canaries.cookie,
          'x-echo': `you sent ${key}`,
          'x-auth-token': canaries.refresh,
          location: `/cb?token=${canaries.refresh}`,
        }),
    })
    const headers = { 'content-type': type, authorization: `Bearer ${canaries.mine}`, cookie: canaries.cookie, 'x-internal': canaries.password }
    const path = `/v1/charges?password=${canaries.password}&q=${encodeURIComponent(key)}`
    expect((await ask('test', 'POST', path, headers, { body })).status).toBe(200)
    expect(files().length).toBe(1)
    expect(found(files().join(), canaries)).toEqual([])
    // The same request is found again, by somebody who holds none of the secrets.
    const again = await ask('dev', 'POST', path.replace(canaries.password, 'other'), { 'content-type': type }, { body })
    expect(type === 'application/octet-stream' ? 501 : 200).toBe(again.status)
  })

  it('finds the canaries where nothing is taken out', () => {
    expect(found(echo.join(), canaries).length).toBeGreaterThan(5)
  })

  it('reads like what was said', async () => {
    const { ask, files } = house({ use: { headers: ['x-tenant'] }, answer: () => answered('{"ok":true}') })
    await ask('test', 'POST', '/v1/x?page=1', { ...json, 'x-tenant': 'a', 'user-agent': 'y' }, { body: '{"n":1}' })
    expect(JSON.parse(files()[0] ?? '')).toEqual({
      cassette: 'v1',
      service: 'pay',
      environment: 'test',
      recordedAt: '2026-01-01T00:00:00.000Z',
      request: { method: 'POST', path: '/v1/x', query: [['page', '1']], headers: [['x-tenant', 'a']], body: { json: { n: 1 } } },
      response: { status: 200, headers: [['content-type', 'application/json']], body: { json: { ok: true } } },
    })
  })
})

describe('a replayed call', () => {
  async function recorded(given: House = {}) {
    let count = 0
    const built = house({ answer: () => answered(`{"n":${++count}}`), ...given })
    const tell = (target: string, headers: HeaderInput, body?: string) =>
      built.ask('test', 'POST', target, { ...json, ...(headers as object) }, body === undefined ? {} : { body })
    const hear = async (target: string, headers: HeaderInput, body?: string, method = 'POST') => {
      const { status, text } = await built.ask('dev', method, target, { ...json, ...(headers as object) }, body === undefined ? {} : { body })
      return [status, status === 501 ? (JSON.parse(text) as { code: string; detail: string }) : text] as const
    }
    return { ...built, tell, hear }
  }

  it.each([
    ['method', 'PUT', '/a?q=1', 'x', '{"a":{"b":1}}', 'method'],
    ['path', 'POST', '/b?q=1', 'x', '{"a":{"b":1}}', 'path'],
    ['query', 'POST', '/a?q=2', 'x', '{"a":{"b":1}}', 'query q'],
    ['a parameter more', 'POST', '/a?q=1&r=1', 'x', '{"a":{"b":1}}', 'query r'],
    ['a header that counts', 'POST', '/a?q=1', 'y', '{"a":{"b":1}}', 'header x-tenant'],
    ['a member of the body', 'POST', '/a?q=1', 'x', '{"a":{"b":2}}', 'body.a.b'],
    ['no body', 'POST', '/a?q=1', 'x', undefined, 'body'],
  ])('with another %s is 501, says what differs, and dials nothing', async (_, method, target, tenant, body, differs) => {
    const { tell, hear, vendor } = await recorded({ use: { headers: ['x-tenant'] } })
    await tell('/a?q=1', { 'x-tenant': 'x' }, '{"a":{"b":1}}')
    const [status, problem] = await hear(target, { 'x-tenant': tenant }, body, method)
    expect([status, problem]).toMatchObject([501, { code: 'replay_miss' }])
    expect((problem as { detail: string }).detail).toMatch(new RegExp(`differs in ${differs.replaceAll('.', '\\.')}$`))
    expect(vendor.calls.length).toBe(1)
    expect((await hear('/a?q=1', { 'x-tenant': 'x' }, '{"a":{"b":1}}'))[0]).toBe(200)
  })

  it('says that nothing was recorded', async () => {
    const { hear } = await recorded()
    expect(await hear('/a', {})).toMatchObject([501, { code: 'replay_miss', detail: 'the cassette pay is empty: nothing was recorded' }])
  })

  it('gets the answers of repeated requests in their order, and then the last one again', async () => {
    const { tell, hear } = await recorded()
    await tell('/a', {}, '1')
    await tell('/b', {}, '1')
    await tell('/a', {}, '1')
    const texts = []
    for (const path of ['/a', '/a', '/b', '/a', '/b']) texts.push((await hear(path, {}, '1'))[1])
    expect(texts).toEqual(['{"n":1}', '{"n":3}', '{"n":2}', '{"n":3}', '{"n":2}'])
  })

  it('need not have the body that was recorded where bodies do not count', async () => {
    const { tell, hear } = await recorded({ use: { body: false } })
    await tell('/a', {}, '{"at":1}')
    expect((await hear('/a', {}, '{"at":2}'))[0]).toBe(200)
  })

  it('is an error of ours when the cassette cannot be read, and nothing is dialled', async () => {
    const { hear, cassettes, vendor } = await recorded()
    cassettes.kept.set('pay', new Map([['00001-x', '{"cassette":"v2"}']]))
    expect((await hear('/a', {}))[0]).toBe(500)
    expect(vendor.calls).toEqual([])
  })
})

describe('a member that the policy hides', () => {
  it('is hidden in answers where they are masked', async () => {
    const answer = () => answered('{"card":{"number":"4242","brand":"v"},"n":1.50}', { ...json, 'content-length': '47', etag: '"1"' })
    const { ask } = house({ mask: { jsonPaths: ['$.card.number'], responses: true }, answer })
    const { text, headers } = await ask('test', 'GET', '/')
    expect([text, headers.get('content-length')]).toEqual(['{"card":{"number":"[redacted]","brand":"v"},"n":1.50}', undefined])
    expect((await house({ mask: { jsonPaths: ['$.card.number'] }, answer }).ask('test', 'GET', '/')).text).toContain('4242')
  })

  it('is not shown in JSON that cannot be read', async () => {
    const { ask } = house({ mask: { jsonPaths: ['$.card.number'], responses: true }, answer: () => answered('{"card":{"number":"4242"') })
    expect((await ask('test', 'GET', '/')).status).toBe(502)
  })
})
