import { once } from 'node:events'
import { request as requestHttp1 } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { Readable, Writable } from 'node:stream'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'

type Headers = Readonly<Record<string, string>>

/** A request under way: what is written goes out at once, what comes back is read as it comes. */
interface Talk {
  readonly up: Writable
  /** Resolves with the head of the answer. */
  readonly head: Promise<{ readonly status: number; readonly headers: Headers }>
  /** Everything that has come so far. */
  readonly text: () => string
  /** Whether the answer ended well; known when it is over. */
  readonly whole: Promise<boolean>
  close(): void
}

type Speak = (port: number, method: string, path: string, headers?: Headers) => Talk

function talk(up: Writable, answered: Promise<{ status: number; headers: Headers; down: Readable }>, close: () => void): Talk {
  let text = ''
  const { promise: whole, resolve } = Promise.withResolvers<boolean>()
  const head = answered.then(({ status, headers, down }) => {
    let ended = false
    down.setEncoding('utf8')
    down.on('data', (part: string) => {
      text += part
    })
    down.on('end', () => {
      ended = true
    })
    down.on('error', () => {}) // its close says how it ended
    down.on('close', () => resolve(ended && !(down as Readable & { readonly rstCode?: number }).rstCode))
    return { status, headers }
  })
  head.catch(() => resolve(false))
  return { up, head, text: () => text, whole, close }
}

const overHttp1: Speak = (port, method, path, headers = {}) => {
  const request = requestHttp1({ port, host: '127.0.0.1', method, path, headers, agent: false })
  request.flushHeaders()
  const answered = once(request, 'response').then(([response]) => ({ status: response.statusCode, headers: response.headers, down: response }))
  request.on('error', () => {}) // after the answer: the gateway had heard enough
  return talk(request, answered, () => void request.destroy())
}

const overHttp2: Speak = (port, method, path, headers = {}) => {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: method === 'GET' })
  stream.on('error', () => {})
  stream.on('close', () => session.close())
  const answered = once(stream, 'response').then(([head]) => ({ status: Number(head[':status']), headers: head, down: stream }))
  return talk(stream, answered, () => stream.close())
}

const protocols: readonly (readonly [name: string, speak: Speak])[] = [
  ['HTTP/1.1', overHttp1],
  ['h2c', overHttp2],
]

const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const lines = { 'content-type': 'application/x-ndjson' }
const array = { 'content-type': 'application/json' }
const order = (note: string) => JSON.stringify({ tenant: 'red', note, items: [{ sku: 'b-1', quantity: 1, unitPrice: '5' }] })

describe.each(protocols)('streams of JSON over %s', (_protocol, speak) => {
  const keep = untilTheEnd()
  let orders: WatchedOrders
  let gateway: Gateway

  beforeAll(async () => {
    orders = await openOrders(keep)
    const shop = `sallyport: v1
clusters:
  orders: { sidecar: none, address: "127.0.0.1:${orders.port}", protocol: grpc, descriptors: shop.binpb }
routes:
  orders:
    match: { grpc: shop.v1.Orders }
    ${anyone}
    timeout: 10s
    to: orders
    bindings:
      - { rpc: ImportOrders, method: POST, path: "/v1/tenants/{tenant}/orders:import", body: "*" }
`
    gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': shop, 'shop.binpb': shopDescriptors })
  })

  const ask = (method: string, path: string, headers: Headers = {}) => {
    const started = speak(gateway.port('public'), method, path, headers)
    keep(() => started.close())
    return started
  }
  const idle = async () => {
    await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
  }

  it('watches orders as lines, as events and as an array', async () => {
    const events = async (accept: string) => {
      const watching = ask('GET', '/v1/orders:watch?count=3&interval_ms=1', { accept })
      watching.up.end()
      const { status, headers } = await watching.head
      expect([status, headers['content-type'], await watching.whole]).toEqual([200, accept, true])
      return watching.text()
    }
    const sequences = (texts: readonly string[]) => texts.map((text) => (JSON.parse(text) as { sequence: string }).sequence)
    expect(sequences((await events('application/x-ndjson')).trimEnd().split('\n'))).toEqual(['1', '2', '3'])
    const sse = (await events('text/event-stream')).split('\n\n')
    expect(sequences(sse.slice(0, 3).map((event) => event.replace(/^data: /, '')))).toEqual(['1', '2', '3'])
    expect(sse.slice(3)).toEqual(['event: end\ndata: {}', ''])
    expect((JSON.parse(await events('application/json')) as readonly unknown[]).length).toBe(3)
  })

  it('refuses a form that there is not before the service hears of it', async () => {
    const before = orders.calls.length
    const refused = ask('GET', '/v1/orders:watch', { accept: 'text/html' })
    refused.up.end()
    expect((await refused.head).status).toBe(406)
    await refused.whole
    expect(JSON.parse(refused.text())).toMatchObject({ code: 'not_acceptable', detail: expect.stringContaining('text/event-stream') })
    expect(orders.calls.length).toBe(before)
  })

  it('imports orders from lines and from an array, in pieces, characters cut in two', async () => {
    for (const [headers, body] of [
      [lines, `${order('é')}\n${order('😀')}\n${order('')}\n`],
      [array, `[${order('é')} ,\n${order('😀')},${order('')}]`],
    ] as const) {
      const importing = ask('POST', '/shop.v1.Orders/ImportOrders', headers)
      const bytes = Buffer.from(body)
      for (let at = 0; at < bytes.length; at += 7) importing.up.write(bytes.subarray(at, at + 7))
      importing.up.end()
      const { status, headers: answered } = await importing.head
      expect([status, answered['content-type'], await importing.whole, importing.text()]).toEqual([200, 'application/json', true, '{"imported":3}'])
    }
  })

  it('imports what the service takes of a stream, and hears what it does not', async () => {
    const importing = ask('POST', '/v1/tenants/red/orders:import', lines)
    importing.up.end(`${order('')}\n{}\n`)
    expect((await importing.head).status).toBe(200)
    await importing.whole
    expect(JSON.parse(importing.text())).toEqual({ imported: 1, rejected: ['order.items: at least one item'] })
  })

  it('answers a broken stream with 400, and the service sees the call cancelled', async () => {
    const before = orders.calls.length
    const importing = ask('POST', '/shop.v1.Orders/ImportOrders', lines)
    importing.up.write(`${order('')}\n`)
    const call = await orders.call(before)
    importing.up.write('{"tenant":\n')
    expect((await importing.head).status).toBe(400)
    await importing.whole
    expect(JSON.parse(importing.text())).toMatchObject({ code: 'body_invalid', detail: expect.stringContaining('message 2') })
    await call.cancelled
    await idle()
  })

  it('holds later messages to what the path says', async () => {
    const importing = ask('POST', '/v1/tenants/red/orders:import', lines)
    importing.up.end('{}\n{"tenant":"red"}\n{"tenant":"blue"}\n')
    expect((await importing.head).status).toBe(400)
    await importing.whole
    expect(JSON.parse(importing.text())).toMatchObject({ code: 'request_invalid', detail: expect.stringContaining('message 3') })
  })

  it('cancels the call when the client leaves in the middle of its stream', async () => {
    const before = orders.calls.length
    const seen = gateway.journal.length
    const importing = ask('POST', '/shop.v1.Orders/ImportOrders', lines)
    importing.head.catch(() => {}) // there will be none
    importing.up.write(`${order('')}\n`)
    const call = await orders.call(before)
    importing.close()
    await call.cancelled
    await idle()
    // The record comes when the walk has heard of it too, and records of earlier requests may come in between.
    const own = () => gateway.journal.slice(seen).filter((record) => record['path'] === '/shop.v1.Orders/ImportOrders')
    await expect.poll(() => own().map((record) => record['ending']), { timeout: 5000, interval: 5 }).toContain('given_up')
  })

  it('chats: everything said first, then everything heard', async () => {
    const chat = ask('POST', '/shop.v1.Orders/Chat', { ...array, accept: 'application/x-ndjson' })
    chat.up.end(JSON.stringify([{ text: 'one' }, { text: 'two' }]))
    expect((await chat.head).status).toBe(200)
    expect(await chat.whole).toBe(true)
    expect(chat.text()).toBe('{"from":"orders","text":"you said: one"}\n{"from":"orders","text":"you said: two"}\n')
  })

  it('chats: each answer before the next question', async () => {
    const chat = ask('POST', '/shop.v1.Orders/Chat', lines)
    let expected = ''
    for (const text of ['one', 'two', 'three']) {
      chat.up.write(`${JSON.stringify({ text })}\n`)
      expected += `{"from":"orders","text":"you said: ${text}"}\n`
      await expect.poll(chat.text, { timeout: 5000, interval: 2 }).toBe(expected)
    }
    expect((await chat.head).headers['content-type']).toBe('application/x-ndjson')
    chat.up.end()
    expect(await chat.whole).toBe(true)
    await idle()
  })

  it('says in the stream what is wrong with the client’s own once the answer has begun; an array is cut', async () => {
    for (const [accept, end] of [
      ['application/x-ndjson', /\n\{"error":\{"code":3,"message":"message 2: .*"\s*,"details":\[\]\}\}\n$/],
      ['text/event-stream', /\nevent: error\ndata: \{"code":3,"message":"message 2: .*","details":\[\]\}\n\n$/],
      ['application/json', /^\[\{"from":"orders","text":"you said: one"\}$/],
    ] as const) {
      const before = orders.calls.length
      const chat = ask('POST', '/shop.v1.Orders/Chat', { ...lines, accept })
      chat.up.write('{"text":"one"}\n')
      expect((await chat.head).status).toBe(200)
      await expect.poll(chat.text, { timeout: 5000, interval: 2 }).toContain('you said: one')
      chat.up.write('{"nope":1}\n')
      expect(await chat.whole).toBe(accept !== 'application/json')
      expect(chat.text()).toMatch(end)
      await (await orders.call(before)).cancelled
    }
    await idle()
    const records = gateway.journal.filter((entry) => entry['kind'] === 'request' && entry['ending'] === 'broken_off')
    expect(records.length).toBeGreaterThanOrEqual(3)
  })

  it('lets go of a watched service when the reader leaves, whatever the form', async () => {
    for (const accept of ['application/x-ndjson', 'text/event-stream', 'application/json']) {
      const before = orders.calls.length
      const watching = ask('GET', '/v1/orders:watch?interval_ms=5', { accept })
      watching.up.end()
      await watching.head
      watching.close()
      await (await orders.call(before)).cancelled
      await idle()
      expect(gateway.journal.at(-1)).toMatchObject({ kind: 'request', ending: 'given_up' })
    }
  })
})
