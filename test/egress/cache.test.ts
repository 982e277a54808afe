import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { HttpCall, HttpReply } from '../../src/core/model/call.ts'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import type { EgressTarget } from '../../src/core/model/egress-target.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { type ArrivalOptions, arrival } from '../support/arrival.ts'
import { bearer, caller, egressPolicy, linked, live, oauth2, service, textOf } from '../support/egress.ts'
import { fakeChannels, fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'

const big = { bytes: 1 << 20, entryBytes: 1 << 10 }
type Answer = Partial<Omit<HttpReply, 'headers'>> & { readonly headers?: Readonly<Record<string, string>>; readonly text?: string }
type Vendor = (call: HttpCall, nth: number) => Answer | Promise<Answer>

interface House {
  readonly service?: Partial<EgressService>
  readonly targets?: readonly EgressTarget[]
  readonly secrets?: Readonly<Record<string, string>>
  readonly callers?: Parameters<typeof egressPolicy>[0]['callers']
}

/** The wing with its real way out, a vendor as said, and a clock that stands still. */
function house(vendor: Vendor, given: House = {}) {
  const calls: HttpCall[] = []
  const channels = fakeChannels({
    async http(call) {
      calls.push(call)
      const { text = `answer ${calls.length}`, headers = {}, status = 200, ...rest } = await vendor(call, calls.length)
      const bytes = new TextEncoder().encode(text)
      async function* body() {
        yield bytes
      }
      const bodiless = status === 304 || status === 204 || call.method === 'HEAD'
      return { kind: 'http', status, headers: new FieldList(Object.entries(headers)), body: bodiless ? undefined : body(), ...rest }
    },
  })
  const fetch = fakeFetch({ 'https://idp.example/token': { text: '{"access_token":"t","token_type":"Bearer","expires_in":60}' } })
  const ports = fakePorts({ channels, fetch, secrets: fakeSecrets({ 'env:KEY': 'canary-key', ...given.secrets }) })
  const open = (more: Partial<EgressService> = {}) => {
    const of = service('rates', { cache: big, callers: ['checkout', 'billing'], ...given.service, ...more })
    const targets = given.targets ?? [live('dev', 'https://a.example/base'), live('test', 'https://a.example/base')]
    const callers = given.callers ?? [caller('checkout', { mayChooseEnv: ['dev', 'test'] })]
    const policy = egressPolicy({ services: [linked(of, ...targets)], callers })
    return buildEgress(policy, buildUpstream(policy, ports), ports)
  }
  let walk = open()
  const ask = async (path = '/v1/rates', headers: Readonly<Record<string, string>> = {}, method = 'GET', options: ArrivalOptions = {}) => {
    const { host = 'rates.egress.internal', ...rest } = headers
    const came = { listener: 'egress', scheme: 'http', receivedAt: ports.clock.ticks(), ...options } as const
    const answer = await walk(arrival(method, path, { Host: host, ...rest }, came))
    const text = await textOf(answer.body)
    const status = answer.headers.all('cache-status').at(-1) ?? ''
    return { status: answer.status, headers: answer.headers, text, how: status.replace('sallyport; ', '') }
  }
  const reload = (more: Partial<EgressService>) => void (walk = open(more))
  const record = () => ports.journal.records.at(-1) as { readonly egress: { readonly cache?: string }; readonly attempts?: number }
  return { ask, calls, ports, reload, record, pass: (seconds: number) => ports.clock.advance(seconds * 1_000) }
}

const fresh = (seconds = 60, more: Readonly<Record<string, string>> = {}) => ({ headers: { 'cache-control': `max-age=${seconds}`, ...more } })

describe('a service with a cache', () => {
  it('answers again what the vendor says is fresh, says how, and calls nobody', async () => {
    const { ask, calls, record, ports, pass } = house(() => fresh(60, { 'content-type': 'application/json', age: '5' }))
    const first = await ask()
    expect([first.text, first.how, record().egress.cache]).toEqual(['answer 1', 'fwd=uri-miss', 'miss'])
    pass(20)
    const second = await ask()
    expect([second.text, second.how, second.headers.get('age'), second.headers.get('content-type')]).toEqual([
      'answer 1',
      'hit; ttl=35',
      '25',
      'application/json',
    ])
    expect(second.headers.get('x-egress-attempts')).toBe('0')
    expect(second.headers.get('x-egress-request-id')).not.toBe(first.headers.get('x-egress-request-id'))
    expect([record().egress.cache, record().attempts, calls.length]).toEqual(['hit', undefined, 1])
    expect(ports.meter.total('sallyport_egress_cache_total', { service: 'rates', environment: 'dev', outcome: 'hit' })).toBe(1)
    expect(ports.meter.level('sallyport_egress_cache_bytes', { service: 'rates' })).toBeGreaterThan(1_000)
    pass(36)
    expect((await ask()).text).toBe('answer 2')
  })

  it('is none where nobody asks for one', async () => {
    const { ask, calls, record } = house(() => fresh(), { service: { cache: undefined } })
    expect([await ask(), await ask()].map(({ how }) => how)).toEqual(['', ''])
    expect([calls.length, record().egress.cache]).toEqual([2, undefined])
  })

  it('costs no quota and no token for what is stored, and goes on while the issuer is down', async () => {
    const quota = { vendor: { points: 1, windowMs: 3_600_000, shareBy: 'none' }, cost: undefined, maxRetryAfterMs: 0, onStoreFailure: 'local' } as const
    const credential = oauth2('https://idp.example/token', 'env:KEY')
    const { ask, ports, pass } = house(() => fresh(600), { service: { quota }, targets: [live('dev', 'https://a.example', { credential })] })
    await ask()
    ports.fetch.on('https://idp.example/token', new Error('down'))
    pass(300)
    expect([(await ask()).how, (await ask('/v1/other')).status]).toEqual(['hit; ttl=300', 503])
    expect(ports.meter.total('sallyport_egress_quota_total')).toBe(1)
  })

  it.each([
    ['no word about it', {}],
    ['no-store', { 'cache-control': 'max-age=60, No-Store' }],
    ['a cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: 'accept, *' }],
    ['a time said twice', { 'cache-control': 'max-age=60, max-age=600' }],
    ['a time that is none', { 'cache-control': 'max-age=6e1' }],
    ['Expires: 0', { expires: '0' }],
    ['a Last-Modified of long ago alone', { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' }],
    ['a time that is over by its Date', { 'cache-control': 'max-age=60', date: 'Wed, 31 Dec 2025 23:00:00 GMT' }],
    ['an event stream', { 'cache-control': 'max-age=60', 'content-type': 'text/event-stream' }],
    ['no-cache with a field', { 'cache-control': 'max-age=60, no-cache="x-a, x-b"' }],
    ['s-maxage alone, which is for others', { 'cache-control': 's-maxage=60' }],
  ])('asks again after %s', async (_, headers) => {
    const { ask, calls } = house(() => ({ headers }))
    await ask()
    expect((await ask()).text).toBe('answer 2')
    expect(calls.length).toBe(2)
  })

  it.each([
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['upper case', { 'cache-control': 'MAX-AGE=60' }],
    ['must-revalidate', { 'cache-control': 'max-age=60, must-revalidate' }],
    ['Expires', { expires: 'Thu, 01 Jan 2026 00:01:00 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' }],
    ['a quoted time', { 'cache-control': 'max-age="60"' }],
  ])('takes the word of %s', async (_, headers) => {
    const { ask } = house(() => ({ headers }))
    await ask()
    expect((await ask()).text).toBe('answer 1')
  })

  it.each([[206], [302], [400], [401], [403], [500], [503]])('stores no %d', async (status) => {
    const { ask } = house(() => ({ status, headers: status === 302 ? { location: '/x' } : { 'cache-control': 'max-age=60' } }))
    await ask()
    expect((await ask()).text).toBe('answer 2')
  })

  it('stores 404 for as long as the vendor says', async () => {
    const { ask } = house(() => ({ status: 404, ...fresh() }))
    await ask()
    expect([(await ask()).status, (await ask()).text]).toEqual([404, 'answer 1'])
  })

  it.each([
    ['a range', { range: 'bytes=0-1' }, 'fwd=bypass'],
    ['no-store', { 'cache-control': 'no-store' }, 'fwd=bypass'],
    ['If-Match', { 'if-match': '"a"' }, 'fwd=bypass'],
    ['no-cache', { 'cache-control': 'no-cache' }, 'fwd=request; fwd-status=200'],
    ['max-age=0', { 'cache-control': 'max-age=0' }, 'fwd=request; fwd-status=200'],
    ['Pragma', { pragma: 'no-cache' }, /^fwd=/],
  ])('asks the vendor when the caller sends %s', async (_, headers, how) => {
    const { ask, pass } = house(() => fresh())
    await ask()
    pass(1)
    const answer = await ask('/v1/rates', headers)
    expect(answer.text).toBe('answer 2')
    expect(answer.how).toMatch(how)
  })

  it('answers HEAD from what GET got, and stores nothing of it', async () => {
    const { ask, calls } = house(() => fresh())
    await ask('/v1/rates', {}, 'HEAD')
    await ask()
    const head = await ask('/v1/rates', {}, 'HEAD')
    expect([head.text, head.headers.get('content-length'), head.how, calls.length]).toEqual(['', '8', 'hit; ttl=60', 2])
  })

  it('stores what has no trailers, and not what has some, which go on', async () => {
    const { ask, calls } = house((call) => ({ ...fresh(), trailers: () => new FieldList(call.target.endsWith('with') ? [['x-sum', '1']] : []) }))
    for (const path of ['/with', '/with', '/without', '/without']) await ask(path)
    expect(calls.map(({ target }) => target)).toEqual(['/base/with', '/base/with', '/base/without'])
  })

  it('stores nothing that broke off, nothing too long, and nothing with a request body', async () => {
    const broken = house((_, nth) => ({
      ...fresh(),
      ...(nth === 1 && {
        body: (async function* () {
          yield new Uint8Array(3)
          throw new Fault('upstream_reset', 'broke off')
        })(),
      }),
    }))
    await expect(broken.ask()).rejects.toThrow('broke off')
    expect([(await broken.ask()).how, (await broken.ask()).text]).toEqual(['fwd=uri-miss', 'answer 2'])

    const long = house(() => ({ ...fresh(), text: 'x'.repeat(1_025) }))
    await long.ask()
    expect((await long.ask()).how).toBe('fwd=uri-miss')

    const bodied = house(() => fresh())
    await bodied.ask('/v1/rates', {}, 'GET', { body: '{"q":1}' })
    expect((await bodied.ask('/v1/rates', {}, 'GET', { body: '{"q":2}' })).text).toBe('answer 2')
  })

  it('holds no more than it may, and lets go of what was not used for longest', async () => {
    const { ask, calls, ports } = house(() => ({ ...fresh(), text: 'x'.repeat(1_000) }), { service: { cache: { bytes: 8_000, entryBytes: 4_000 } } })
    for (const path of ['/a', '/b', '/a', '/c', '/a', '/d', '/a', '/e']) {
      await ask(path)
      expect(ports.meter.level('sallyport_egress_cache_bytes', { service: 'rates' })).toBeLessThanOrEqual(8_000)
    }
    expect(calls.length).toBe(5)
    expect([(await ask('/a')).how, (await ask('/b')).how]).toEqual([expect.stringMatching(/^hit/), 'fwd=uri-miss'])
  })

  it('records, replays and mocks nothing from it', async () => {
    const recording = live('dev', 'https://a.example', { record: { name: 'c', headers: [], body: true } })
    const { ask, calls } = house(() => fresh(), { targets: [recording] })
    await ask()
    // No folder for cassettes: the mode says no each time, and no cache stands before it.
    expect([(await ask()).status, calls.length]).toEqual([501, 0])
  })
})

describe('what is stale', () => {
  it('is asked about by entity tag, and serves on when the vendor says 304, with its new fields', async () => {
    const { ask, calls, record, pass } = house((call) => {
      if (call.headers.get('if-none-match') === '"v1"') return { status: 304, headers: { 'cache-control': 'max-age=30', etag: '"v1"', 'x-new': 'yes' } }
      return { headers: { 'cache-control': 'max-age=10', etag: '"v1"', age: '3' } }
    })
    await ask()
    pass(20)
    const again = await ask()
    expect([again.status, again.text, again.how, again.headers.get('age'), again.headers.get('x-new')]).toEqual([
      200,
      'answer 1',
      'fwd=stale; fwd-status=304',
      '0',
      'yes',
    ])
    expect([record().egress.cache, record().attempts]).toEqual(['revalidated', 1])
    pass(20)
    expect((await ask()).how).toBe('hit; ttl=10')
    expect(calls.length).toBe(2)
  })

  it('is asked about by Last-Modified', async () => {
    const at = 'Wed, 31 Dec 2025 00:00:00 GMT'
    const { ask, calls } = house((call) => ({
      status: call.headers.has('if-modified-since') ? 304 : 200,
      headers: { 'cache-control': 'no-cache', 'last-modified': at },
    }))
    await ask()
    expect([(await ask()).text, calls[1]?.headers.get('if-modified-since')]).toEqual(['answer 1', at])
  })

  it('gives way to a new answer, and to a vendor that wants nothing stored any more', async () => {
    const { ask, pass } = house((_, nth) => ({ headers: { 'cache-control': nth < 3 ? 'max-age=10' : 'no-store', etag: `"v${nth}"` } }))
    await ask()
    pass(11)
    expect([(await ask()).how, (await ask()).text]).toEqual(['fwd=stale; fwd-status=200', 'answer 2'])
    pass(11)
    expect([(await ask()).text, (await ask()).how]).toEqual(['answer 3', 'fwd=uri-miss'])
  })

  it('is asked for again where a 304 is about something else', async () => {
    const { ask, calls, pass } = house((call, nth) => ({
      status: call.headers.has('if-none-match') ? 304 : 200,
      headers: { 'cache-control': 'max-age=10', etag: call.headers.has('if-none-match') ? '"other"' : `"v${nth}"` },
    }))
    await ask()
    pass(11)
    expect([(await ask()).text, calls.length]).toEqual(['answer 3', 3])
  })

  it.each([
    ['an answer 503', () => ({ status: 503 })],
    ['a vendor that is away', () => Promise.reject(new Fault('upstream_unavailable', 'away'))],
    ['a reset', () => Promise.reject(new Fault('upstream_reset', 'reset'))],
  ])('bridges %s for as long as the vendor said', async (_, trouble) => {
    const { ask, record, pass } = house((_call, nth) => (nth === 1 ? { headers: { 'cache-control': 'max-age=10, stale-if-error=60' } } : trouble()))
    await ask()
    pass(30)
    const bridged = await ask()
    expect([bridged.status, bridged.text, bridged.how, record().egress.cache]).toEqual([200, 'answer 1', 'hit; ttl=-20; detail=stale-if-error', 'stale'])
    pass(50)
    expect((await ask()).status).toBeGreaterThanOrEqual(500)
  })

  it.each([
    ['without a word about it', 'max-age=10'],
    ['with must-revalidate', 'max-age=10, stale-if-error=60, must-revalidate'],
    ['with no-cache', 'no-cache, stale-if-error=60'],
    ['with stale-while-revalidate alone', 'max-age=10, stale-while-revalidate=60'],
  ])('bridges nothing %s', async (_, control) => {
    const { ask, pass } = house((_call, nth) => (nth === 1 ? { headers: { 'cache-control': control, etag: '"a"' } } : { status: 503 }))
    await ask()
    pass(30)
    expect((await ask()).status).toBe(503)
  })

  it('never bridges a credential that is missing', async () => {
    const credential = bearer('env:KEY')
    const { ask, ports, pass } = house(() => ({ headers: { 'cache-control': 'max-age=10, stale-if-error=600' } }), {
      targets: [live('dev', 'https://a.example', { credential })],
    })
    await ask()
    pass(1)
    ports.secrets.on('env:KEY', '')
    expect((await ask()).status).toBe(503)
  })
})

describe('a caller that has an answer already', () => {
  it('hears 304 from what is stored, by weak comparison, and else what the vendor says', async () => {
    const { ask, calls } = house(() => fresh(60, { etag: 'W/"v1"', 'last-modified': 'Wed, 31 Dec 2025 00:00:00 GMT', 'content-type': 'a/b' }))
    await ask()
    const known = await ask('/v1/rates', { 'if-none-match': '"v0", "v1"' })
    expect([known.status, known.text, known.headers.get('etag'), known.headers.has('content-type')]).toEqual([304, '', 'W/"v1"', false])
    expect((await ask('/v1/rates', { 'if-modified-since': 'Wed, 31 Dec 2025 00:00:00 GMT' })).status).toBe(304)
    expect((await ask('/v1/rates', { 'if-none-match': '"v0"' })).status).toBe(200)
    expect(calls.length).toBe(1)
  })

  it('gets its own 304 of the vendor, and the store learns nothing of it', async () => {
    const { ask } = house((call) => ({ status: call.headers.has('if-none-match') ? 304 : 200, ...fresh(60, { etag: '"v1"' }) }))
    expect((await ask('/v1/rates', { 'if-none-match': '"v1"' })).status).toBe(304)
    expect((await ask()).how).toBe('fwd=uri-miss')
  })
})

describe('a change at the vendor', () => {
  it.each([
    ['POST', 200],
    ['PUT', 204],
    ['DELETE', 302],
    ['PATCH', 500],
  ])('by %s, answered %d, makes everybody forget the resource, and that alone', async (method, status) => {
    const { ask, calls } = house((call) => (call.method === method ? { status } : fresh()))
    for (const path of ['/a?x=1', '/a?x=2', '/b']) await ask(path)
    await ask('/a?x=1', { host: 'rates.egress.internal' }, method)
    expect((await ask('/a?x=1')).how).toBe('fwd=uri-miss')
    expect([(await ask('/a?x=2')).how, (await ask('/b')).how]).toEqual(['hit; ttl=60', 'hit; ttl=60'])
    expect(calls.length).toBe(5)
  })

  it('that was refused changes nothing; one that broke off may have been made', async () => {
    const refused = house((call) => (call.method === 'POST' ? { status: 409 } : fresh()))
    await refused.ask()
    await refused.ask('/v1/rates', {}, 'POST')
    expect((await refused.ask()).how).toMatch(/^hit/)
    const broken = house((call) => (call.method === 'POST' ? Promise.reject(new Fault('upstream_reset', 'reset')) : fresh()))
    await broken.ask()
    await broken.ask('/v1/rates', {}, 'POST')
    expect((await broken.ask()).how).toBe('fwd=uri-miss')
  })

  it('is one of what Location names too, at this vendor', async () => {
    const { ask } = house((call) =>
      call.method === 'POST' ? { status: 201, headers: { location: '/base/things/7', 'content-location': 'https://evil.example/base/b' } } : fresh(),
    )
    await ask('/things/7')
    await ask('/b')
    await ask('/things', {}, 'POST')
    expect([(await ask('/things/7')).how, (await ask('/b')).how]).toEqual(['fwd=uri-miss', 'hit; ttl=60'])
  })

  it('while an answer is under way keeps that from being stored', async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => (letGo = resolve))
    const { ask } = house(async (call, nth) => {
      if (call.method === 'GET' && nth === 1) await held
      return fresh()
    })
    const slow = ask()
    await new Promise((resolve) => setImmediate(resolve))
    await ask('/v1/rates', {}, 'POST')
    letGo()
    await slow
    expect((await ask()).how).toBe('fwd=uri-miss')
  })
})

describe('whoever differs', () => {
  /** Two ways to ask that must never share an answer, whatever the vendor forgets to say. */
  const key = bearer('env:KEY')
  const ways: readonly [string, House, (of: ReturnType<typeof house>) => readonly (() => Promise<{ readonly text: string }>)[]][] = [
    ['in environment', {}, ({ ask }) => [() => ask('/x', { 'x-egress-env': 'dev' }), () => ask('/x', { 'x-egress-env': 'test' })]],
    [
      'in caller',
      { callers: [caller('checkout', { listener: 'egress' }), caller('billing', { listener: 'egress:rates' })], service: { callers: ['billing', 'checkout'] } },
      ({ ask }) => [() => ask('/x', {}, 'GET', { listener: 'egress:rates' }), () => ask('/x')],
    ],
    [
      'in the secret',
      { targets: [live('dev', 'https://a.example', { credential: key })] },
      ({ ask, ports }) => [
        () => ask('/x'),
        () => {
          ports.secrets.on('env:KEY', 'another')
          return ask('/x')
        },
      ],
    ],
    [
      'in the token that is exchanged',
      { targets: [live('dev', 'https://a.example', { credential: oauth2('https://idp.example/token', 'env:KEY', { subject: 'caller' }) })] },
      ({ ask }) => [() => ask('/x', { authorization: 'Bearer one' }), () => ask('/x', { authorization: 'Bearer two' })],
    ],
    ['in a header of the vendor’s', {}, ({ ask }) => [() => ask('/x', { 'x-account': 'a' }), () => ask('/x', { 'x-account': 'b' })]],
    ['in Accept', {}, ({ ask }) => [() => ask('/x', { accept: 'a/b' }), () => ask('/x', { accept: 'c/d' })]],
    ['in Accept-Encoding', {}, ({ ask }) => [() => ask('/x', { 'accept-encoding': 'gzip' }), () => ask('/x')]],
    ['in the query', {}, ({ ask }) => [() => ask('/x?a=1'), () => ask('/x?a=2')]],
    ['in the path', {}, ({ ask }) => [() => ask('/x'), () => ask('/X')]],
    [
      'in what the policies say',
      { service: { mask: { headers: [], jsonPaths: [], responses: true } } },
      ({ ask, reload }) => [
        () => ask('/x'),
        () => {
          reload({ mask: { headers: [], jsonPaths: ['$.pan'], responses: true } })
          return ask('/x')
        },
      ],
    ],
  ]

  it.each(ways)('%s shares nothing', async (_, given, of) => {
    const [one, two] = of(house(() => fresh(), given))
    const first = (await one?.())?.text
    expect((await two?.())?.text).not.toBe(first)
  })

  it('in User-Agent shares, unless the vendor says Vary', async () => {
    const shares = house(() => fresh())
    await shares.ask('/x', { 'user-agent': 'a' })
    expect((await shares.ask('/x', { 'user-agent': 'b' })).text).toBe('answer 1')
    const varies = house(() => fresh(60, { vary: 'User-Agent' }))
    await varies.ask('/x', { 'user-agent': 'a' })
    const other = await varies.ask('/x', { 'user-agent': 'b' })
    expect([other.text, other.how]).toEqual(['answer 2', 'fwd=vary-miss; fwd-status=200'])
    expect((await varies.ask('/x', { 'user-agent': 'b' })).text).toBe('answer 2')
  })

  it('in anything gets only answers to its own like, over any sequence of calls', async () => {
    const call = fc.record({
      environment: fc.constantFrom('dev', 'test'),
      listener: fc.constantFrom('egress', 'egress:rates'),
      key: fc.constantFrom('k1', 'k2'),
      account: fc.constantFrom('a', 'b'),
      path: fc.constantFrom('/p', '/q'),
      method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST'),
      seconds: fc.constantFrom(0, 0, 5, 40),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 2, maxLength: 25 }), async (calls) => {
        const credential = bearer('env:KEY')
        const callers = [
          caller('checkout', { listener: 'egress', mayChooseEnv: ['dev', 'test'] }),
          caller('billing', { listener: 'egress:rates', mayChooseEnv: ['dev', 'test'] }),
        ]
        const of = house(
          (asked) => ({
            ...fresh(30),
            text: [asked.authority, asked.headers.get('authorization'), asked.headers.get('x-account'), asked.target, by].join(' '),
          }),
          {
            callers,
            service: { callers: ['billing', 'checkout'] },
            targets: [live('dev', 'https://dev.example', { credential }), live('test', 'https://test.example', { credential })],
          },
        )
        let by = ''
        const got: string[] = []
        const due: string[] = []
        for (const { environment, listener, key, account, path, method, seconds } of calls) {
          of.pass(seconds)
          of.ports.secrets.on('env:KEY', key)
          by = listener
          const answer = await of.ask(path, { 'x-egress-env': environment, 'x-account': account }, method, { listener })
          got.push(answer.text)
          due.push(method === 'HEAD' ? '' : `${environment}.example Bearer ${key} ${account} ${path} ${listener}`)
        }
        expect(got).toEqual(due)
      }),
      { numRuns: 150 },
    )
  })

  it('finds nothing secret in what is stored', async () => {
    const seen: string[] = []
    // What is stored is handed out as it is.
    const { ask } = house(
      (call) => ({ ...fresh(), text: `you sent ${call.headers.get('authorization')}`, headers: { 'cache-control': 'max-age=60', 'x-echo': 'canary-key' } }),
      {
        service: { mask: { headers: [], jsonPaths: [], responses: true } },
        targets: [live('dev', 'https://a.example', { credential: bearer('env:KEY') })],
      },
    )
    for (let i = 0; i < 2; i++) {
      const { text, headers, how } = await ask()
      seen.push(text + JSON.stringify(headers.entries()) + how)
    }
    expect(seen[1]).toContain('hit')
    expect(seen.join()).not.toContain('canary-key')
  })
})
