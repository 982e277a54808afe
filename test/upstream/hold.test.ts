import { expect, test } from 'vitest'
import type { HttpCall, HttpReply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Retry } from '../../src/core/model/retry.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { chunkedBody, httpCall } from '../support/calls.ts'
import { fakeClock } from '../support/clock.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { settle } from '../support/protected.ts'
import { at, cluster, httpReply, retry, type SendableInput, sendable } from '../support/sendable.ts'

/** A body whose parts come when the test says so. */
function body() {
  const waiting: PromiseWithResolvers<IteratorResult<Uint8Array>>[] = []
  const asked: PromiseWithResolvers<IteratorResult<Uint8Array>>[] = []
  const slot = (mine: typeof waiting, others: typeof waiting) => {
    const there = others.shift()
    if (there !== undefined) return there
    const made = Promise.withResolvers<IteratorResult<Uint8Array>>()
    mine.push(made)
    made.promise.catch(() => {})
    return made
  }
  const seen = { left: false, reads: 0 }
  return {
    seen,
    say: (text: string) => slot(waiting, asked).resolve({ done: false, value: Buffer.from(text) }),
    end: () => slot(waiting, asked).resolve({ done: true, value: undefined }),
    breakOff: (why = new Fault('upstream_reset', 'broke off')) => slot(waiting, asked).reject(why),
    source: {
      [Symbol.asyncIterator]: () => ({
        next() {
          seen.reads += 1
          return slot(asked, waiting).promise
        },
        async return() {
          seen.left = true
          return { done: true as const, value: undefined }
        },
      }),
    },
  }
}

type Body = ReturnType<typeof body>

/** What breaks off the body of an answer, as channels do when its try is over. */
const endings = new WeakMap<HttpReply, (why: Fault) => void>()

function answer(of: Body, length: number | undefined, type = 'application/json', status = 200): HttpReply {
  const headers = new FieldList().set('content-type', type)
  const reply = httpReply(status, { headers: length === undefined ? headers : headers.set('content-length', `${length}`), body: of.source })
  endings.set(reply, of.breakOff)
  return reply
}

/** A cluster of two endpoints that answers these, one after another. */
function setUp(...replies: HttpReply[]) {
  const left = [...replies]
  const hosts: string[] = []
  const channels = fakeChannels({
    async http(_call, { lifeline }, { address }) {
      hosts.push((address as { host?: string }).host ?? '')
      const reply = left.shift() ?? httpReply(200)
      lifeline.onEnd((why) => endings.get(reply)?.(why))
      return reply
    },
  })
  const clock = fakeClock()
  const ports = fakePorts({ channels, clock })
  const upstream = buildUpstream(emptyPolicy({ clusters: { c: cluster('c', { endpoints: at('10.0.0.1:80', '10.0.0.2:80'), outlier: undefined }) } }), ports)
  async function ask(call: HttpCall = httpCall({ method: 'GET' }), rules: Partial<Retry> = {}, input: SendableInput = {}) {
    const x = sendable({
      call,
      receivedAt: clock.ticks(),
      route: { retry: retry({ answers: 16, perTryMs: 10_000, ...rules }), timeoutMs: 30_000 },
      ...input,
    })
    const state: { reply?: HttpReply; fault?: Fault } = {}
    upstream.forward(x).then(
      (reply) => Object.assign(state, { reply }),
      (error: unknown) => Object.assign(state, { fault: Fault.from(error) }),
    )
    await settle()
    return Object.assign(state, { x })
  }
  return { ask, hosts, clock, ports }
}

/** As much of an answer as there is, and how it ended. */
async function read(reply: HttpReply | undefined): Promise<string> {
  let text = ''
  try {
    const of = reply?.body ?? []
    for await (const part of of instanceof Uint8Array ? [of] : of) text += Buffer.from(part).toString()
  } catch {
    return `${text} BROKEN`
  }
  return text
}

test('an answer that breaks off while it is held back is asked for again, elsewhere, and the caller gets a whole one', async () => {
  const [cut, whole] = [body(), body()]
  const { ask, hosts, clock } = setUp(answer(cut, 5), answer(whole, 5))
  const sent = await ask()
  cut.say('ha')
  await settle()
  expect(sent.reply).toBeUndefined()
  cut.breakOff()
  await settle()
  clock.advance(25)
  await settle()
  whole.say('who')
  whole.say('le')
  await settle()
  expect(sent.reply).toBeUndefined()
  whole.end()
  await settle()
  expect(await read(sent.reply)).toBe('whole')
  expect(sent.reply?.headers.get('content-length')).toBe('5')
  expect(new Set(hosts)).toEqual(new Set(['10.0.0.1', '10.0.0.2']))
})

test('when every try breaks off the caller gets a refusal, and no half answer', async () => {
  const bodies = [body(), body(), body()]
  const { ask, clock, hosts } = setUp(...bodies.map((of) => answer(of, 5)))
  const sent = await ask()
  for (const of of bodies) {
    of.say('ha')
    of.breakOff()
    await settle()
    clock.advance(1_000)
    await settle()
  }
  expect(sent.fault?.code).toBe('upstream_reset')
  expect(hosts).toHaveLength(3)
})

test.each<[what: string, reply: (of: Body) => HttpReply, call: HttpCall, rules: Partial<Retry>]>([
  ['is larger', (of) => answer(of, 17), httpCall({ method: 'GET' }), {}],
  ['does not say how long it is', (of) => answer(of, undefined), httpCall({ method: 'GET' }), {}],
  ['is an event stream', (of) => answer(of, 5, 'text/event-stream; charset=utf-8'), httpCall({ method: 'GET' }), {}],
  ['belongs to a request that may not be sent twice', (of) => answer(of, 5), httpCall({ method: 'POST' }), {}],
  ['belongs to a request whose body is gone', (of) => answer(of, 5), httpCall({ method: 'GET', body: chunkedBody([Buffer.from('x')]) }), {}],
  ['would not be asked for again', (of) => answer(of, 5), httpCall({ method: 'GET' }), { on: ['connect'] }],
  ['comes where nothing is said of it', (of) => answer(of, 5), httpCall({ method: 'GET' }), { answers: undefined }],
])('an answer flows as it comes when it %s', async (_, reply, call, rules) => {
  const of = body()
  const { ask, hosts } = setUp(reply(of))
  const sent = await ask(call, rules)
  expect(sent.reply?.status).toBe(200)
  // Nothing was read ahead of the caller.
  expect(of.seen.reads).toBe(0)
  const text = read(sent.reply)
  of.say('ha')
  of.breakOff()
  expect(await text).toBe('ha BROKEN')
  expect(hosts).toHaveLength(1)
})

test('an answer that is not whole after a second flows on from its first byte', async () => {
  const slow = body()
  const { ask, clock } = setUp(answer(slow, 8))
  const sent = await ask()
  slow.say('sl')
  await settle()
  clock.advance(999)
  await settle()
  expect(sent.reply).toBeUndefined()
  clock.advance(1)
  await settle()
  const text = read(sent.reply)
  slow.say('ow')
  slow.say('ly')
  slow.end()
  expect(await text).toBe('slowly')
})

test('nor is it held beyond the deadline for its beginning, and its end may come later', async () => {
  const slow = body()
  const { ask, clock } = setUp(answer(slow, 4))
  const sent = await ask(undefined, {}, { route: { retry: retry({ answers: 16 }), timeoutMs: 300 } })
  clock.advance(300)
  await settle()
  expect(sent.reply?.status).toBe(200)
  slow.say('late')
  slow.end()
  expect(await read(sent.reply)).toBe('late')
})

test('when the deadline for the whole answer comes while it is held the caller gets a refusal, and no half answer', async () => {
  const slow = body()
  const { ask, clock, hosts } = setUp(answer(slow, 4))
  const sent = await ask(undefined, {}, { deadline: clock.ticks() + 300 })
  slow.say('sl')
  await settle()
  clock.advance(299)
  await settle()
  expect([sent.reply, sent.fault]).toEqual([undefined, undefined])
  clock.advance(1)
  await settle()
  expect([sent.reply, sent.fault?.code, sent.fault?.status]).toEqual([undefined, 'deadline_exceeded', 504])
  expect(hosts).toHaveLength(1)
})

test('perTry bounds the wait for the beginning, not the time that an answer is held', async () => {
  const slow = body()
  const { ask, clock, hosts } = setUp(answer(slow, 4))
  const sent = await ask(undefined, { perTryMs: 100 })
  clock.advance(500)
  slow.say('late')
  slow.end()
  await settle()
  expect(await read(sent.reply)).toBe('late')
  expect(hosts).toHaveLength(1)
})

test('more than was announced is held no longer', async () => {
  const liar = body()
  const { ask } = setUp(answer(liar, 2))
  const sent = await ask()
  liar.say('more than two')
  await settle()
  expect(sent.reply?.status).toBe(200)
  liar.end()
  expect(await read(sent.reply)).toBe('more than two')
})

test('a caller who goes away while an answer is held ends the call', async () => {
  const of = body()
  const { ask, hosts } = setUp(answer(of, 5))
  const sent = await ask()
  of.say('ha')
  sent.x.lifeline.end(new Fault('client_closed', 'gone'))
  await settle()
  expect(sent.fault?.code).toBe('client_closed')
  expect(hosts).toHaveLength(1)
})

test.each([204, 304])('an answer without a body is not waited for (%i)', async (status) => {
  const { ask } = setUp(httpReply(status, { headers: new FieldList().set('content-length', '5') }))
  expect((await ask()).reply).toMatchObject({ status, body: undefined })
})

test.each([['HEAD', 200] as const, ['GET', 304] as const])(
  'the length that an answer to %s with %i announces stays, though there is no body',
  async (method, status) => {
    const none = body()
    const { ask } = setUp(answer(none, 5, 'application/json', status))
    const sent = await ask(httpCall({ method }), { methods: ['GET', 'HEAD'] })
    none.end()
    await settle()
    expect(sent.reply).toMatchObject({ status, body: undefined })
    expect(sent.reply?.headers.get('content-length')).toBe('5')
  },
)
