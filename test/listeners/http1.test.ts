import { expect, test } from 'vitest'
import type { Arrival } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { listen, outbound, talkTo } from '../support/listener.ts'
import { memoryMeter } from '../support/ports.ts'
import { gate, settled } from '../support/sockets.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text)
}

test('an arrival is what was on the wire: target, raw headers, version, peer', async () => {
  let seen: Arrival | undefined
  const { address } = await listen(async (arrival) => {
    seen = arrival
    return outbound('hello')
  })
  const talk = talkTo(address.port)
  talk.say('GET //a/../%2f?x HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Odd_Name: 1\r\n\r\n')
  const answer = await talk.hear('hello')
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(answer).toContain('content-length: 5\r\n')
  expect(seen).toMatchObject({ listener: 'public', method: 'GET', target: '//a/../%2f?x', httpVersion: '1.1', scheme: 'http', authority: undefined })
  expect(seen?.rawHeaders).toEqual(['Host', 'a', 'Host', 'b', 'X-Odd_Name', '1'])
  expect(seen?.peer).toEqual({ address: '127.0.0.1', certificate: undefined, connection: expect.any(Object) })
  expect(seen?.body).toBeUndefined()
})

test('every header reaches the walk, however many there are', async () => {
  let count = 0
  const { address } = await listen(
    async (arrival) => {
      count = arrival.rawHeaders.length / 2
      return outbound('ok')
    },
    { limits: { headerBytes: 100_000, headerCount: 100, requestMs: 30_000, idleMs: 60_000 } },
  )
  const talk = talkTo(address.port)
  talk.say(`GET / HTTP/1.1\r\n${'a: b\r\n'.repeat(3_000)}\r\n`)
  await talk.hear('ok')
  expect(count).toBe(3_000)
})

test('a body is read when it is asked for, and up to its limit', async () => {
  const { address } = await listen(async ({ body }) => {
    try {
      return outbound(Buffer.from((await body?.bytes(10)) ?? []).toString())
    } catch (error) {
      return outbound(Fault.from(error).code, { close: Fault.from(error).detail.close })
    }
  })
  const talk = talkTo(address.port)
  talk.say('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsmall')
  await talk.hear('small')
  talk.say('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nparts \r\n4\r\nhere\r\n0\r\n\r\n')
  await talk.hear('parts here')
  talk.say('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nfar too big\r\n')
  const answer = await talk.hear('body_too_large')
  expect(answer).toContain('connection: close')
})

test('a body that announces more than the limit is refused before a byte of it has come', async () => {
  const { address } = await listen(async ({ body }) => {
    const code = await Promise.resolve(body?.bytes(10)).then(
      () => 'took it',
      (error: unknown) => Fault.from(error).code,
    )
    return outbound(code)
  })
  const talk = talkTo(address.port)
  talk.say('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
  expect(await talk.end()).toContain('body_too_large')
})

test('100 Continue is sent when the body is first wanted, and never for a request that is refused', async () => {
  const { address } = await listen(async ({ target, body }) => {
    if (target === '/no') return outbound('refused', { status: 403 })
    return outbound(Buffer.from((await body?.bytes(10)) ?? []).toString())
  })
  const wanted = talkTo(address.port)
  wanted.say('POST /yes HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
  expect(await wanted.hear('100 Continue\r\n\r\n')).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
  wanted.say('hello')
  await wanted.hear('hello')

  const refused = talkTo(address.port)
  refused.say('POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
  const answer = await refused.end()
  expect(answer).toMatch(/^HTTP\/1\.1 403 /)
  expect(answer).toContain('connection: close')
})

test('an answer that breaks in the middle never looks complete', async () => {
  for (const headers of [new FieldList(), new FieldList([['content-length', '20']])]) {
    const { address } = await listen(async () =>
      outbound(
        (async function* () {
          yield Buffer.from('half')
          throw new Fault('upstream_reset', 'gone')
        })(),
        { headers },
      ),
    )
    const talk = talkTo(address.port)
    talk.say(get)
    const answer = await talk.end()
    expect(answer).not.toContain('0\r\n\r\n')
    expect(answer).toContain('(reset)')
  }
})

test('an answer of another length than it announced is broken off', async () => {
  const { address } = await listen(async () => outbound(chunks('short'), { headers: new FieldList([['content-length', '20']]) }))
  const talk = talkTo(address.port)
  talk.say(get)
  expect(await talk.end()).toContain('(reset)')
})

test('chunks go out as they come, and headers before the first of them', async () => {
  const first = gate()
  const second = gate()
  const { address } = await listen(async () =>
    outbound(
      (async function* () {
        await first.promise
        yield Buffer.from('one')
        await second.promise
        yield Buffer.from('two')
      })(),
    ),
  )
  const talk = talkTo(address.port)
  talk.say(get)
  await talk.hear('\r\n\r\n')
  first.resolve()
  await talk.hear('one')
  second.resolve()
  expect(await talk.hear('0\r\n\r\n')).toContain('two')
})

test('trailers are sent to a downstream that said it takes them', async () => {
  const { address } = await listen(async () => outbound(chunks('body'), { trailers: () => new FieldList([['x-sum', '42']]) }))
  const talk = talkTo(address.port)
  talk.say('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n')
  expect(await talk.hear('\r\n0\r\n')).toContain('4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n')
  const other = talkTo(address.port)
  other.say(get)
  expect(await other.hear('\r\n0\r\n')).not.toContain('x-sum')
})

test('a slow downstream slows the producer', async () => {
  let pulled = 0
  const { address } = await listen(async () =>
    outbound(
      (async function* () {
        for (let i = 0; i < 4_000; i += 1) {
          pulled += 64 * 1024
          yield Buffer.alloc(64 * 1024)
        }
      })(),
    ),
  )
  const talk = talkTo(address.port)
  talk.socket.pause()
  talk.say(get)
  expect(await settled(() => pulled)).toBeLessThan(32 * 1024 * 1024)
})

test('a downstream that takes nothing for the idle limit is cut, and its producer is let go', async () => {
  const over = gate<string>()
  const { address } = await listen(
    async () =>
      outbound(
        (async function* () {
          try {
            for (;;) yield Buffer.alloc(64 * 1024)
          } finally {
            over.resolve('let go')
          }
        })(),
      ),
    { limits: { headerBytes: 16_384, headerCount: 100, requestMs: 30_000, idleMs: 100 } },
  )
  const talk = talkTo(address.port)
  talk.socket.pause()
  talk.say(get)
  expect(await over.promise).toBe('let go')
})

test('the lifeline ends when the downstream goes away, and settles when the answer is complete', async () => {
  const lost = gate<string>()
  const settled = gate<Fault | undefined>()
  const { address } = await listen(async ({ lifeline, target }) => {
    lifeline.onEnd((why) => lost.resolve(why.code))
    if (target === '/done') {
      lifeline.onOver(() => settled.resolve(lifeline.ended))
      return outbound('ok')
    }
    await lost.promise
    return outbound('nobody reads this')
  })
  const leaving = talkTo(address.port)
  leaving.say('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n')
  await new Promise((resolve) => leaving.socket.once('connect', resolve))
  leaving.socket.end()
  leaving.socket.destroy()
  expect(await lost.promise).toBe('client_closed')
  const staying = talkTo(address.port)
  staying.say('GET /done HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(await settled.promise).toBeUndefined()
})

test('an answer that says close closes the connection', async () => {
  const { address } = await listen(async () => outbound('last', { close: true }))
  const talk = talkTo(address.port)
  talk.say(get)
  expect(await talk.end()).toMatch(/connection: close[\s\S]*last$/)
})

test('an answer that comes before a long body was read reaches a downstream that is still sending', async () => {
  const { address } = await listen(async () => outbound('no thanks', { status: 401 }))
  const talk = talkTo(address.port)
  talk.say('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n')
  for (let i = 0; i < 20; i += 1) talk.say('x'.repeat(10_000))
  const answer = await talk.hear('no thanks')
  expect(answer).toMatch(/^HTTP\/1\.1 401 /)
  expect(answer).not.toContain('(reset)')
})

test('a short body that nobody read does not cost the connection', async () => {
  const { address } = await listen(async ({ target }) => outbound(`at ${target}`))
  const talk = talkTo(address.port)
  talk.say('POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /two HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(await talk.hear('at /two')).toContain('at /one')
})

for (const [name, input, status] of [
  ['garbage', 'hello?\r\n\r\n', 400],
  ['both framings', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['headers too long', `GET / HTTP/1.1\r\nHost: a\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
  ['an upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n', 501],
  ['a tunnel', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 501],
] as const) {
  test(`${name} gets a well-formed problem, is counted, and the connection closes`, async () => {
    const meter = memoryMeter()
    const { address } = await listen(async () => outbound('reached'), { meter })
    const other = talkTo(address.port)
    other.say('GET /other HTTP/1.1\r\nHost: a\r\n\r\n')
    const talk = talkTo(address.port)
    talk.say(input)
    const answer = await talk.end()
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(head).toContain('content-type: application/problem+json')
    expect(JSON.parse(body)).toMatchObject({ status, instance: /x-request-id: (\S+)/.exec(head)?.[1] })
    expect(meter.total('sallyport_refusals_total', { wing: 'ingress' })).toBe(1)
    expect(answer).not.toContain('reached')
    expect(await other.hear('reached')).toContain('200 OK')
  })
}

test('an earlier request on the connection still gets its answer when rubbish follows it', async () => {
  const go = gate()
  const { address } = await listen(async () => {
    await go.promise
    return outbound('good answer')
  })
  const talk = talkTo(address.port)
  talk.say(`${get}rubbish\r\n\r\n`)
  await new Promise((resolve) => talk.socket.once('ready', resolve))
  go.resolve()
  const answer = await talk.end()
  expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*good answerHTTP\/1\.1 400 /)
})

test('a request that does not arrive in time is a 408', async () => {
  const { address } = await listen(async () => outbound('reached'), { limits: { headerBytes: 16_384, headerCount: 100, requestMs: 500, idleMs: 60_000 } })
  const talk = talkTo(address.port)
  talk.say('GET / HTTP/1.1\r\nHost: ')
  expect(await talk.end()).toMatch(/^HTTP\/1\.1 408 /)
})

test('connections over the cap are closed at once and counted; those there are keep being served', async () => {
  const meter = memoryMeter()
  const { address } = await listen(async () => outbound('ok'), { meter, caps: { total: 1 } })
  const first = talkTo(address.port)
  first.say(get)
  await first.hear('ok')
  const second = talkTo(address.port)
  expect(await second.end()).toMatch(/^(?:\(reset\))?$/)
  first.say(get)
  await first.hear('ok')
  expect(meter.total('sallyport_connections_refused_total', { reason: 'full' })).toBe(1)
})

test('nothing behind an answer that ends the connection is run', async () => {
  const asked: string[] = []
  const { address } = await listen(async ({ target }) => {
    asked.push(target)
    return outbound(target, { close: target === '/refused' })
  })
  const talk = talkTo(address.port)
  talk.say('GET /refused HTTP/1.1\r\nHost: a\r\n\r\nDELETE /behind HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(await talk.end()).toMatch(/\/refused$/)
  expect(asked).toEqual(['/refused'])
})

test('pipelined requests run one after another', async () => {
  const go = gate()
  const asked: string[] = []
  const { address } = await listen(async ({ target }) => {
    asked.push(target)
    if (target === '/1') await go.promise
    return outbound(`at ${target};`)
  })
  const talk = talkTo(address.port)
  talk.say('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n')
  const other = talkTo(address.port)
  other.say('GET /other HTTP/1.1\r\nHost: a\r\n\r\n')
  await other.hear('at /other;')
  expect(asked).not.toContain('/2')
  go.resolve()
  expect(await talk.hear('at /3;')).toMatch(/at \/1;[\s\S]*at \/2;[\s\S]*at \/3;/)
  expect(asked.filter((target) => target !== '/other')).toEqual(['/1', '/2', '/3'])
})

for (const [name, input] of [
  ['an upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ['a tunnel', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'],
] as const) {
  test(`${name} that follows a request is not answered in its place`, async () => {
    const go = gate()
    const begun = gate()
    const { address } = await listen(async () => {
      begun.resolve()
      await go.promise
      return outbound('good answer')
    })
    const talk = talkTo(address.port)
    talk.say(`${get}${input}`)
    await begun.promise
    await new Promise((resolve) => setImmediate(resolve))
    go.resolve()
    expect(await talk.end()).toMatch(/^HTTP\/1\.1 200 [\s\S]*good answerHTTP\/1\.1 501 /)
  })
}

test('an expectation that nobody knows is left to the walk', async () => {
  const { address } = await listen(async ({ rawHeaders }) => outbound(rawHeaders.includes('200-maybe') ? 'seen' : 'lost'))
  const talk = talkTo(address.port)
  talk.say('GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n')
  expect(await talk.hear('seen')).toMatch(/^HTTP\/1\.1 200 /)
})

test('a 204 has no length, whatever the upstream says', async () => {
  const { address } = await listen(async () => outbound(undefined, { status: 204, headers: new FieldList([['content-length', '4']]) }))
  const talk = talkTo(address.port)
  talk.say('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(await talk.end()).not.toMatch(/content-length/i)
})

test('a downstream that does not take an answer in one piece is cut after the idle limit', async () => {
  const over = gate<string>()
  const { address } = await listen(
    async ({ lifeline }) => {
      lifeline.onEnd((why) => over.resolve(why.code))
      return outbound('x'.repeat(50_000_000))
    },
    { limits: { headerBytes: 16_384, headerCount: 100, requestMs: 30_000, idleMs: 100 } },
  )
  const talk = talkTo(address.port)
  talk.socket.pause()
  talk.say(get)
  expect(await over.promise).toBe('client_closed')
})
