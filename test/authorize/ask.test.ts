import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Decider } from '../../src/core/policy/linked/deciders.ts'
import type { FetchRequest } from '../../src/core/ports.ts'
import { type Asker, asked, asker, askingPolicy, decider, opaUrl, settle } from '../support/asking.ts'
import { subject } from '../support/metering.ts'
import { refusalOf } from '../support/refusal.ts'

const minute = 60_000

function over(given: Partial<Decider> = {}): Asker & { readonly questions: () => number } {
  const made = asker(askingPolicy(decider('opa', given)))
  return { ...made, questions: () => made.ports.fetch.requests.length }
}

const says = (result: unknown) => ({ text: JSON.stringify({ result }) })

/** What became of a request: `outcome source`, and the code of a refusal. */
async function became(one: Asker, x = asked()): Promise<string> {
  const refused = await refusalOf(() => one.walk(x))
  const of = (x as { asked?: readonly { outcome: string; source: string }[] }).asked?.map(({ outcome, source }) => `${outcome} ${source}`) ?? []
  return [...of, ...(refused === undefined ? [] : [refused.code])].join(', ')
}

/** An answer that comes when it is let go. */
function held() {
  const gate = Promise.withResolvers<{ readonly text: string }>()
  return { answer: () => gate.promise, release: (result: unknown) => gate.resolve(says(result)) }
}

describe('what OPA says', () => {
  it.each<[string, object | Error, string]>([
    ['true', says(true), 'allowed answer'],
    ['false', says(false), 'denied answer, forbidden'],
    ['an object that allows', says({ allow: true }), 'allowed answer'],
    ['an object that does not', says({ allow: false, reason: 'no' }), 'denied answer, forbidden'],
    ['nothing: the rule is undefined', { text: '{}' }, 'denied answer, forbidden'],
    ['nothing but a decision id', { text: '{"decision_id":"d1"}' }, 'denied answer, forbidden'],
    ['null', says(null), 'failed_closed none, decision_unavailable'],
    ['text', says('true'), 'failed_closed none, decision_unavailable'],
    ['1', says(1), 'failed_closed none, decision_unavailable'],
    ['an object without allow', says({ allowed: true }), 'failed_closed none, decision_unavailable'],
    ['an object whose allow is text', says({ allow: 'true' }), 'failed_closed none, decision_unavailable'],
    ['a ttl that is no time', says({ allow: true, ttl: -1 }), 'failed_closed none, decision_unavailable'],
    ['result twice', { text: '{"result":false,"result":true}' }, 'failed_closed none, decision_unavailable'],
    ['a list', { text: '[true]' }, 'failed_closed none, decision_unavailable'],
    ['HTML', { text: '<html>' }, 'failed_closed none, decision_unavailable'],
    ['no text at all', { text: '' }, 'failed_closed none, decision_unavailable'],
    ['500 with a true', { ...says(true), status: 500 }, 'failed_closed none, decision_unavailable'],
    ['a redirect with a true', { ...says(true), status: 302, headers: { location: 'https://evil.example' } }, 'failed_closed none, decision_unavailable'],
    ['404', { status: 404 }, 'failed_closed none, decision_unavailable'],
    ['a refused connection', new Error('connection refused'), 'failed_closed none, decision_unavailable'],
  ])('%s', async (_, answer, expected) => {
    const one = over()
    one.ports.fetch.on(opaUrl, answer)
    expect(await became(one)).toBe(expected)
    const open = over({ onFailure: 'allow' })
    open.ports.fetch.on(opaUrl, answer)
    expect(await became(open)).toBe(expected.replace('failed_closed none, decision_unavailable', 'failed_open none'))
  })

  it('a denial says more to the record than to the caller, unless its words may be shown', async () => {
    const one = over()
    one.ports.fetch.on(opaUrl, says({ allow: false, reason: 'ada is\n suspended' }))
    const hidden = await refusalOf(() => one.walk())
    expect(hidden).toMatchObject({ code: 'forbidden', detail: { rule: 'deciders.opa', reason: undefined, internal: 'denied by opa: ada is suspended' } })
    const shown = over({ showReason: true })
    shown.ports.fetch.on(opaUrl, says({ allow: false, reason: 'ada is\n suspended' }))
    expect((await refusalOf(() => shown.walk()))?.detail.reason).toBe('ada is suspended')
  })

  it('is 503 with Retry-After when nobody answers', async () => {
    const refused = await refusalOf(() => over().walk())
    expect(refused).toMatchObject({ code: 'decision_unavailable', status: 503, detail: { headers: [['retry-after', '1']], rule: 'deciders.opa' } })
  })
})

describe('what is sent', () => {
  const ada = { ...subject('ada', { tenant: 'red', roles: ['a', 'b'], secret: 'x' }), clientId: 'app', scopes: new Set(['b', 'a']) }
  const request = {
    method: 'PUT',
    path: '/a/7',
    query: 'x=1',
    rpc: 'shop.v1.Orders/Get',
    params: { id: '7' },
    headers: [
      ['authorization', 'Bearer t0k'],
      ['x-a', '1'],
      ['x-a', '2'],
      ['x-b', '3'],
    ] as const,
  }

  async function sent(send: Decider['send'], principal: Parameters<typeof asked>[0] = { principal: ada }) {
    const one = over({ send, key: send })
    one.ports.fetch.on(opaUrl, says(true))
    await one.walk(asked({ ...request, ...principal }))
    const [{ method, body, headers }] = one.ports.fetch.requests as [FetchRequest]
    expect([method, headers['content-type']]).toEqual(['POST', 'application/json'])
    return (JSON.parse(body ?? '') as { input: unknown }).input
  }

  it('is what is declared and nothing else', async () => {
    expect(await sent([{ kind: 'method' }])).toEqual({ method: 'PUT' })
    expect(
      await sent([{ kind: 'path' }, { kind: 'query' }, { kind: 'host' }, { kind: 'route' }, { kind: 'rpc' }, { kind: 'params' }, { kind: 'client.address' }]),
    ).toEqual({
      path: '/a/7',
      query: 'x=1',
      host: 'api.example.com',
      route: 'orders',
      rpc: 'shop.v1.Orders/Get',
      params: { id: '7' },
      client: { address: '192.0.2.1' },
    })
    expect(
      await sent([
        { kind: 'header', name: 'x-a' },
        { kind: 'header', name: 'x-none' },
      ]),
    ).toEqual({ headers: { 'x-a': '1, 2' } })
  })

  it('speaks of the principal by the parts that are declared, and says that there is none', async () => {
    const parts: Decider['send'] = [
      { kind: 'issuer' },
      { kind: 'subject' },
      { kind: 'clientId' },
      { kind: 'scopes' },
      { kind: 'claim', path: 'tenant' },
      { kind: 'claim', path: 'gone' },
    ]
    expect(await sent(parts)).toEqual({
      principal: { kind: 'subject', issuer: 'main', subject: 'ada', clientId: 'app', scopes: ['a', 'b'], claims: { tenant: 'red' } },
    })
    expect(await sent(parts, {})).toEqual({ principal: { kind: 'anonymous' } })
  })

  it('holds the token only when that is said', async () => {
    expect(await sent([{ kind: 'token' }])).toEqual({ token: 'Bearer t0k' })
  })
})

describe('remembered answers', () => {
  const cache = { allowMs: 5_000, denyMs: 1_000, staleForMs: 30_000 }

  it('are used while they hold, a denial shorter than a permission', async () => {
    const one = over({ cache })
    one.ports.fetch.on(opaUrl, says(true))
    expect([await became(one), await became(one)]).toEqual(['allowed answer', 'allowed cache'])
    one.ports.clock.advance(4_999)
    expect(await became(one)).toBe('allowed cache')
    one.ports.fetch.on(opaUrl, says(false))
    one.ports.clock.advance(1)
    expect([await became(one), await became(one)]).toEqual(['denied answer, forbidden', 'denied cache, forbidden'])
    one.ports.fetch.on(opaUrl, says(true))
    one.ports.clock.advance(1_000)
    expect(await became(one)).toBe('allowed answer')
    expect(one.questions()).toBe(3)
  })

  it('are not kept where nothing is said of a cache', async () => {
    const one = over()
    one.ports.fetch.on(opaUrl, says(true))
    await became(one)
    await became(one)
    expect(one.questions()).toBe(2)
  })

  it('hold as long as the point says, if that is shorter; 0 means not at all, not even stale', async () => {
    const one = over({ cache })
    one.ports.fetch.on(opaUrl, says({ allow: true, ttl: 2 }))
    await became(one)
    one.ports.clock.advance(1_999)
    expect(await became(one)).toBe('allowed cache')
    one.ports.fetch.on(opaUrl, says({ allow: true, ttl: 3600 }))
    one.ports.clock.advance(1)
    expect(await became(one)).toBe('allowed answer')
    one.ports.clock.advance(5_000)
    one.ports.fetch.on(opaUrl, says({ allow: true, ttl: 0 }))
    expect([await became(one), await became(one)]).toEqual(['allowed answer', 'allowed answer'])
    one.ports.fetch.on(opaUrl, new Error('down'))
    expect(await became(one)).toBe('failed_closed none, decision_unavailable')
  })

  it('serve on while the point does not answer, and no longer than said', async () => {
    const one = over({ cache })
    one.ports.fetch.on(opaUrl, says(true))
    await became(one)
    one.ports.fetch.on(opaUrl, new Error('down'))
    one.ports.clock.advance(5_000)
    expect(await became(one)).toBe('allowed stale')
    one.ports.clock.advance(29_999)
    expect(await became(one)).toBe('allowed stale')
    one.ports.clock.advance(1)
    expect(await became(one)).toBe('failed_closed none, decision_unavailable')
  })

  it('that deny go on denying while the point is down, also where its failure would allow', async () => {
    const one = over({ cache, onFailure: 'allow' })
    one.ports.fetch.on(opaUrl, says(false))
    await became(one)
    one.ports.fetch.on(opaUrl, new Error('down'))
    one.ports.clock.advance(2_000)
    expect(await became(one)).toBe('denied stale, forbidden')
  })

  it('belong to one set of facts: another method, path, subject, issuer or no subject is another question', async () => {
    const one = over({
      cache,
      send: [{ kind: 'method' }, { kind: 'path' }, { kind: 'subject' }],
      key: [{ kind: 'method' }, { kind: 'path' }, { kind: 'subject' }],
    })
    one.ports.fetch.on(opaUrl, says(true))
    const ada = subject('ada')
    const different = [
      asked(),
      asked({ method: 'PUT' }),
      asked({ path: '/b' }),
      asked({ principal: ada }),
      asked({ principal: subject('eve') }),
      asked({ principal: { ...ada, issuer: 'other' } }),
      asked({ principal: subject('') }),
    ]
    for (const x of different) expect(await became(one, x)).toBe('allowed answer')
    expect(await became(one, asked({ principal: ada }))).toBe('allowed cache')
  })

  it('cannot be confused by facts that run into each other', async () => {
    const send: Decider['send'] = [
      { kind: 'header', name: 'a' },
      { kind: 'header', name: 'b' },
    ]
    const one = over({ cache, send, key: send })
    one.ports.fetch.on(opaUrl, says(true))
    const both = (a: string, b: string) =>
      asked({
        headers: [
          ['a', a],
          ['b', b],
        ],
      })
    for (const x of [
      both('1', '23'),
      both('12', '3'),
      both('', '123'),
      both('1"3:"2', '3'),
      asked({ headers: [['b', '123']] }),
      asked({ headers: [['a', '-']] }),
    ]) {
      expect(await became(one, x)).toBe('allowed answer')
    }
  })

  it('are shared by whoever has the same key, when the policies say so', async () => {
    const one = over({ cache, key: [{ kind: 'path' }] })
    one.ports.fetch.on(opaUrl, says(true))
    await became(one, asked({ method: 'GET' }))
    expect(await became(one, asked({ method: 'PUT' }))).toBe('allowed cache')
  })

  it('are forgotten when the decider is written otherwise, and kept over a reload that leaves it alone', async () => {
    const before = decider('opa', { cache })
    const first = asker(askingPolicy(before))
    first.ports.fetch.on(opaUrl, says(true))
    await became(first)
    const again = asker(askingPolicy({ ...before }), undefined, first.ports)
    expect(await became(again)).toBe('allowed cache')
    const changed = asker(askingPolicy({ ...before, timeoutMs: 100 }), undefined, first.ports)
    expect(await became(changed)).toBe('allowed answer')
  })

  it('are asked for once when a hundred want the same at once', async () => {
    const one = over({ cache })
    const gate = held()
    one.ports.fetch.on(opaUrl, gate.answer)
    const all = Promise.all(Array.from({ length: 100 }, () => became(one)))
    await settle()
    gate.release(true)
    expect(new Set(await all)).toEqual(new Set(['allowed answer']))
    expect(one.questions()).toBe(1)
  })

  it('take a bounded place', async () => {
    const one = over({ cache })
    one.ports.fetch.on(opaUrl, says(true))
    await became(one, asked({ path: '/first' }))
    for (let i = 0; i < 10_000; i++) await one.walk(asked({ path: `/${i}` }))
    expect(await became(one, asked({ path: '/9999' }))).toBe('allowed cache')
    expect(await became(one, asked({ path: '/first' }))).toBe('allowed answer')
  })
})

describe('a point that is slow', () => {
  it('is cut at its time, by the clock', async () => {
    const one = over({ timeoutMs: 150 })
    one.ports.fetch.on(opaUrl, held().answer)
    const outcome = became(one)
    await settle()
    expect(one.ports.fetch.requests[0]?.timeoutMs).toBe(150)
    one.ports.clock.advance(149)
    await settle()
    expect(await Promise.race([outcome, Promise.resolve('waiting')])).toBe('waiting')
    one.ports.clock.advance(1)
    expect(await outcome).toBe('failed_closed none, decision_unavailable')
    expect(one.ports.clock.pending).toBe(0)
  })

  it('lets pass at its time where its failure allows, and the record says how long it took', async () => {
    const one = over({ timeoutMs: 150, onFailure: 'allow' })
    one.ports.fetch.on(opaUrl, held().answer)
    const walk = one.walk()
    await settle()
    one.ports.clock.advance(150)
    expect((await walk).asked).toEqual([
      { decider: 'opa', outcome: 'failed_open', source: 'none', reason: undefined, problem: 'it did not answer within 150 ms', tookMs: 150, audit: false },
    ])
  })

  it('is waited for no longer than the request may take, also where its failure would allow', async () => {
    const one = over({ timeoutMs: 5_000, onFailure: 'allow' })
    one.ports.fetch.on(opaUrl, held().answer)
    const outcome = became(one, asked({ deadline: 1_100 }))
    await settle()
    one.ports.clock.advance(100)
    expect(await outcome).toBe('deadline_exceeded')
  })

  it('is left by a downstream that goes away, while the others go on waiting for it', async () => {
    const one = over({ cache: { allowMs: 1_000, denyMs: 0, staleForMs: 0 } })
    const gate = held()
    one.ports.fetch.on(opaUrl, gate.answer)
    const lifeline = new Lifeline()
    const leaving = became(one, asked({ lifeline }))
    const staying = became(one)
    await settle()
    lifeline.end(new Fault('client_closed', 'gone'))
    expect(await leaving).toBe('client_closed')
    gate.release(true)
    expect(await staying).toBe('allowed answer')
    expect(one.questions()).toBe(1)
    expect(one.ports.clock.pending).toBe(0)
  })
})

describe('a point that is down', () => {
  it('is left alone after five failures, tried by one after a second, and asked by all again when it answers', async () => {
    const one = over()
    one.ports.fetch.on(opaUrl, new Error('down'))
    for (let i = 0; i < 8; i++) expect(await became(one)).toBe('failed_closed none, decision_unavailable')
    expect(one.questions()).toBe(5)
    one.ports.clock.advance(999)
    await became(one)
    expect(one.questions()).toBe(5)
    one.ports.clock.advance(1)
    const gate = held()
    one.ports.fetch.on(opaUrl, gate.answer)
    const trial = became(one)
    await settle()
    expect(await became(one)).toBe('failed_closed none, decision_unavailable')
    expect(one.questions()).toBe(6)
    gate.release(true)
    expect(await trial).toBe('allowed answer')
    one.ports.fetch.on(opaUrl, says(true))
    expect([await became(one), await became(one)]).toEqual(['allowed answer', 'allowed answer'])
    expect(one.questions()).toBe(8)
  })

  it('is left alone twice as long after each trial that fails, 30 s at most', async () => {
    const one = over()
    one.ports.fetch.on(opaUrl, new Error('down'))
    for (let i = 0; i < 5; i++) await became(one)
    for (const pause of [1, 2, 4, 8, 16, 30, 30]) {
      const before = one.questions()
      one.ports.clock.advance(pause * 1000 - 1)
      await became(one)
      expect(one.questions()).toBe(before)
      one.ports.clock.advance(1)
      await became(one)
      expect(one.questions()).toBe(before + 1)
    }
  })

  it('costs no waiting while it is left alone', async () => {
    const one = over({ cache: { allowMs: 1_000, denyMs: 0, staleForMs: 10 * minute } })
    one.ports.fetch.on(opaUrl, says(true))
    await became(one)
    one.ports.clock.advance(1_000)
    one.ports.fetch.on(opaUrl, held().answer)
    for (let i = 0; i < 5; i++) {
      const late = became(one)
      await settle()
      one.ports.clock.advance(200)
      expect(await late).toBe('allowed stale')
    }
    const x = asked()
    expect(await became(one, x)).toBe('allowed stale')
    expect((x as { asked?: readonly { tookMs: number }[] }).asked?.[0]?.tookMs).toBe(0)
  })

  it('is seen in the metrics', async () => {
    const one = over()
    one.ports.fetch.on(opaUrl, new Error('down'))
    for (let i = 0; i < 6; i++) await became(one)
    const { meter } = one.ports
    expect(meter.total('sallyport_decider_decisions_total', { decider: 'opa', outcome: 'failed_closed', source: 'none' })).toBe(6)
    expect(meter.samples.findLast(({ name }) => name === 'sallyport_decider_open')).toMatchObject({ value: 1, labels: { decider: 'opa' } })
    expect(meter.samples.filter(({ name }) => name === 'sallyport_decider_answer_seconds').length).toBe(5)
  })

  it('is not asked more than 256 things at once', async () => {
    const one = over()
    const gate = held()
    one.ports.fetch.on(opaUrl, gate.answer)
    const all = Array.from({ length: 300 }, (_, i) => became(one, asked({ path: `/${i}` })))
    await settle()
    expect(one.questions()).toBe(256)
    gate.release(true)
    const outcomes = await Promise.all(all)
    expect(outcomes.filter((outcome) => outcome === 'allowed answer').length).toBe(256)
  })
})

describe('several points', () => {
  it('must all allow, and a denial says more than a failure before it', async () => {
    const bad: Decider['point'] = { kind: 'opa', at: { url: 'https://bad.example.com' }, path: 'x' }
    const one = asker(askingPolicy(decider('down', { point: bad }), decider('opa')))
    one.ports.fetch.on(opaUrl, says(false))
    expect(await became(one)).toBe('failed_closed none, denied answer, forbidden')
    one.ports.fetch.on(opaUrl, says(true))
    expect(await became(one)).toBe('failed_closed none, allowed answer, decision_unavailable')
    one.ports.fetch.on('https://bad.example.com/v1/data/x', says(true))
    expect(await became(one)).toBe('allowed answer, allowed answer')
  })

  it('in audit mode are asked and recorded, and decide nothing', async () => {
    const one = over({ mode: 'audit' })
    one.ports.fetch.on(opaUrl, says({ allow: false, reason: 'no' }))
    expect((await one.walk()).asked).toMatchObject([{ outcome: 'denied', reason: 'no', audit: true }])
    one.ports.fetch.on(opaUrl, new Error('down'))
    expect((await one.walk()).asked).toMatchObject([{ outcome: 'failed_closed', audit: true }])
  })
})

describe('who is asked', () => {
  it('nobody, about a request that the rules refuse', async () => {
    const policy = askingPolicy(decider('opa'))
    const closed = asker({ ...policy, access: { p: { ...policy.access['p'], rules: [] } as never } })
    expect(await became(closed)).toBe('forbidden')
    expect(closed.ports.fetch.requests).toEqual([])
  })

  it('the deciders of all policies of the route, each once, whichever rule let it pass', async () => {
    const policy = askingPolicy(decider('opa'))
    const [p] = Object.values(policy.access)
    if (p === undefined) throw new Error('no policy')
    const two = asker({ ...policy, access: { plain: { ...p, name: 'plain', ask: [] }, p, q: { ...p, name: 'q' } } })
    two.ports.fetch.on(opaUrl, says(false))
    expect(await became(two, asked({ policies: ['plain', 'p', 'q'] }))).toBe('denied answer, forbidden')
    expect(two.ports.fetch.requests.length).toBe(1)
    expect(await became(two, asked({ policies: ['plain'] }))).toBe('')
  })

  it('somebody who is not there refuses', async () => {
    const policy = askingPolicy(decider('opa'))
    const lost = asker({ ...policy, deciders: {} })
    expect(await became(lost)).toBe('config_quarantined')
  })

  it('words that repeat the credential they were told are dropped, because others would hear them from memory', async () => {
    const one = over({ send: [{ kind: 'token' }] })
    one.ports.fetch.on(opaUrl, says({ allow: false, reason: 'bad token s3cr3t-t0ken here' }))
    const x = asked({ headers: [['authorization', 'Bearer s3cr3t-t0ken']] })
    const refused: Fault | undefined = await refusalOf(() => one.walk(x))
    expect(JSON.stringify([refused?.detail, (x as { asked?: unknown }).asked])).not.toContain('s3cr3t')
  })
})
