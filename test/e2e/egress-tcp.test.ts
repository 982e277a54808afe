import { connect, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { hasPostgres, openPsql, startPostgres } from '../support/postgres.ts'
import { hasRedis, startRedis } from '../support/redis.ts'

const patienceMs = 20_000
const loopback = 'allowAddresses: ["127.0.0.0/8"]'

function policies(environments: string, more = ''): string {
  return `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod }, prod: { class: prod } }
listeners:
  admin: { address: 127.0.0.1:0 }
callers:
  shop: { listener: egress }
egress:
  ledger:
    kind: tcp
    listen: 127.0.0.1:0
    callers: [shop]
    ${more}
    environments: ${environments}
`
}

interface Ledger extends Gateway {
  readonly ledger: number
  switchTo(environment: string): Promise<number>
  /** The record of the next connection that ended so. */
  ended(outcome: string): Promise<Readonly<Record<string, unknown>>>
}

async function open(environments: string, more = '', variables: Readonly<Record<string, string>> = {}): Promise<Ledger> {
  const gateway = await openGateway(onTestFinished, { 'house.yaml': policies(environments, more) }, { variables })
  const admin = `http://127.0.0.1:${gateway.port('admin')}`
  return {
    ...gateway,
    ledger: gateway.port('egress:ledger'),
    async switchTo(environment) {
      const { revision } = (await (await fetch(`${admin}/egress`)).json()) as { readonly revision: string }
      const headers = { 'content-type': 'application/json', 'if-match': revision }
      return (await fetch(`${admin}/egress/ledger/switch`, { method: 'POST', headers, body: JSON.stringify({ environment, by: 'ada', reason: 'a test' }) }))
        .status
    },
    ended: (outcome) => gateway.entry((one) => one['kind'] === 'stream' && one['outcome'] === outcome),
  }
}

/** A server on loopback. Returns its port. */
async function serve(handle: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    handle(socket)
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

interface Client {
  readonly socket: Socket
  read(): string
  /** How it ended: `end` (FIN) or the code of an error. */
  readonly over: Promise<string>
}

function dial(port: number, allowHalfOpen = false): Client {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
  onTestFinished(() => void socket.destroy())
  let said = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const over = new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
  return { socket, read: () => said, over }
}

const heard = (client: Client, text: string) => vi.waitFor(() => expect(client.read()).toBe(text), { timeout: patienceMs, interval: 2 })
const echo = (name: string) => serve((socket) => void socket.on('data', (data) => socket.write(`${name}:${String(data)}`)).on('end', () => socket.end()))

describe('a TCP service', () => {
  it('carries bytes both ways, ends what one side ends, and records the connection with its bytes', { timeout: patienceMs }, async () => {
    const late = await serve((socket) => {
      let all = ''
      socket.on('data', (data) => {
        all += String(data)
      })
      // Answers only after the other side has ended: half-close.
      socket.on('end', () => socket.end(`got ${all}`))
    })
    const gateway = await open(`{ dev: { target: "127.0.0.1:${late}", ${loopback} } }`)
    const client = dial(gateway.ledger, true)
    client.socket.end('hello')
    expect(await client.over).toBe('end')
    expect(client.read()).toBe('got hello')
    expect(await gateway.ended('closed')).toMatchObject({
      service: 'ledger',
      caller: 'shop',
      environment: 'dev',
      target: `127.0.0.1:${late}`,
      bytes_out: 5,
      bytes_in: 9,
      client: '127.0.0.1',
    })
    const metrics = await gateway.admin('/metrics')
    expect(metrics).toContain('sallyport_egress_streams_total{service="ledger",outcome="closed"} 1')
    expect(metrics).toContain('sallyport_egress_stream_bytes_total{service="ledger",direction="out"} 5')
  })

  it('does not read for a side that does not read', { timeout: patienceMs }, async () => {
    let sent = 0
    const size = 64 * 1024
    const flood = await serve((socket) => {
      const more = () => {
        while (sent < 1024 * size) {
          sent += size
          if (!socket.write(Buffer.alloc(size))) return
        }
      }
      socket.on('drain', more)
      more()
    })
    const gateway = await open(`{ dev: { target: "127.0.0.1:${flood}", ${loopback} } }`)
    const client = connect({ port: gateway.ledger, host: '127.0.0.1' })
    onTestFinished(() => void client.destroy())
    client.pause()
    // Until nothing moves any more.
    let before = -1
    await vi.waitFor(
      () => {
        const still = sent > 0 && sent === before
        before = sent
        if (!still) throw new Error('it still moves')
      },
      { timeout: patienceMs, interval: 300 },
    )
    expect(sent).toBeLessThan(512 * size)
    let received = 0
    client.on('data', (data) => {
      received += data.length
    })
    client.resume()
    await vi.waitFor(() => expect(received).toBe(1024 * size), { timeout: patienceMs })
  })

  it('refuses what may not be dialled, is beyond the ceiling, is denied or has no target, and says which', { timeout: patienceMs }, async () => {
    let connections = 0
    const port = await serve(() => {
      connections += 1
    })
    const cases = [
      [`{ dev: { target: "127.0.0.1:${port}" } }`, 'address_denied'],
      [`{ dev: { target: "localhost:${port}", ${loopback} }, prod: { target: "localhost:5432", tls: none } }`, 'config_quarantined'],
      [`{ dev: { target: "127.0.0.1:${port}", ${loopback} }, prod: { target: "localhost:${port}", tls: none } }`, 'address_denied'],
      [`{ dev: { mode: deny } }`, 'egress_denied'],
      [`{ test: { target: "127.0.0.1:${port}", ${loopback} } }`, 'no_target_for_env'],
    ] as const
    for (const [environments, code] of cases) {
      const gateway = await open(environments)
      expect(await dial(gateway.ledger).over).toBe('ECONNRESET')
      expect(await gateway.ended(code)).toMatchObject({ bytes_out: 0, bytes_in: 0 })
    }
    expect(connections).toBe(0)
    const good = await open(`{ dev: { target: "127.0.0.1:${port}", ${loopback} } }`)
    dial(good.ledger)
    await vi.waitFor(() => expect(connections).toBe(1))
    expect(await good.switchTo('prod')).toBe(409)
  })

  it('keeps to its number of connections, and to how long one may be silent or live', { timeout: patienceMs }, async () => {
    const port = await echo('a')
    const capped = await open(`{ dev: { target: "127.0.0.1:${port}", ${loopback} } }`, 'connections: { max: 1, idle: 1s }')
    const first = dial(capped.ledger)
    first.socket.write('x')
    await heard(first, 'a:x')
    expect(await dial(capped.ledger).over).toBe('ECONNRESET')
    await capped.ended('full')
    expect(await first.over).toBe('ECONNRESET')
    await capped.ended('idle')
    const mortal = await open(`{ dev: { target: "127.0.0.1:${port}", ${loopback} } }`, 'connections: { lifetime: 1s }')
    const second = dial(mortal.ledger)
    second.socket.write('y')
    await heard(second, 'a:y')
    expect(await second.over).toBe('end')
    await mortal.ended('lifetime')
  })

  it('verifies TLS to the target against its own name', { timeout: patienceMs }, async () => {
    const { ca, server: own } = await makeCertificates()
    const server = createTlsServer(
      { cert: own.certificate, key: own.key },
      (socket) => void socket.on('error', () => {}).on('data', (data) => socket.write(`tls:${String(data)}`)),
    )
    await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { readonly port: number }
    const target = (host: string, rest: string) => `{ dev: { target: "${host}:${port}", tls: verify-full, allowAddresses: ["127.0.0.0/8", "::1/128"]${rest} } }`
    const trusting = ', ca: env:TEST_CA'
    for (const refused of [target('127.0.0.1', ''), target('localhost', trusting)]) {
      const gateway = await open(refused, '', { TEST_CA: ca })
      expect(await dial(gateway.ledger).over).toBe('ECONNRESET')
      expect(await gateway.ended('upstream_unavailable')).toMatchObject({ bytes_out: 0 })
    }
    const gateway = await open(target('127.0.0.1', trusting), '', { TEST_CA: ca })
    const client = dial(gateway.ledger)
    client.socket.write('hi')
    await heard(client, 'tls:hi')
    client.socket.end()
  })

  it('ends connections that rest when it is switched, and resets at the deadline those that do not', { timeout: patienceMs }, async () => {
    const [one, two] = [await echo('one'), await echo('two')]
    // Never answers what begins with a question mark.
    const mute = await serve((socket) => void socket.on('data', (data) => String(data).startsWith('?') || socket.write('ok')))
    const both = (port: number) => `{ dev: { target: "127.0.0.1:${port}", ${loopback} }, test: { target: "127.0.0.1:${two}", ${loopback} } }`
    const gateway = await open(both(one), 'switch: { drainTimeout: 20s }')
    const resting = dial(gateway.ledger)
    resting.socket.write('x')
    await heard(resting, 'one:x')
    expect(await gateway.switchTo('test')).toBe(200)
    expect(await resting.over).toBe('end')
    expect(await gateway.ended('drained')).toMatchObject({ environment: 'dev' })
    const fresh = dial(gateway.ledger)
    fresh.socket.write('y')
    await heard(fresh, 'two:y')

    const hurried = await open(both(mute), 'switch: { drainTimeout: 1s }')
    const asking = dial(hurried.ledger)
    asking.socket.write('?')
    await vi.waitFor(async () => expect(await hurried.admin('/metrics')).toContain('sallyport_egress_streams{service="ledger"} 1'))
    expect(await hurried.switchTo('test')).toBe(200)
    expect(await asking.over).toBe('ECONNRESET')
    await hurried.ended('reset')
  })

  it('leaves connections alone on a reload that does not move them, and with mode: pin', { timeout: patienceMs }, async () => {
    const [one, two] = [await echo('one'), await echo('two')]
    const environments = `{ dev: { target: "127.0.0.1:${one}", ${loopback} }, test: { target: "127.0.0.1:${two}", ${loopback} } }`
    const gateway = await open(environments, 'switch: { mode: pin }')
    const client = dial(gateway.ledger)
    client.socket.write('x')
    await heard(client, 'one:x')
    await gateway.policies.write('house.yaml', policies(environments, 'switch: { mode: pin }\n    timeout: { connect: 1s }'))
    expect((await gateway.running.reload()).outcome).toBe('published')
    expect(await gateway.switchTo('test')).toBe(200)
    const fresh = dial(gateway.ledger)
    fresh.socket.write('y')
    await heard(fresh, 'two:y')
    client.socket.write('z')
    await heard(client, 'one:xone:z')
  })
})

describe.skipIf(!hasRedis())('a Redis behind a TCP service', () => {
  it('is changed under a client that goes on, without an error', { timeout: patienceMs }, async () => {
    const [one, two] = await Promise.all([startRedis(), startRedis()])
    onTestFinished(async () => void (await Promise.all([one.close(), two.close()])))
    await Promise.all([one.admin.set('who', 'one'), two.admin.set('who', 'two')])
    const gateway = await open(
      `{ dev: { target: "127.0.0.1:${one.port}", ${loopback} }, test: { target: "127.0.0.1:${two.port}", ${loopback} } }`,
      'switch: { drainTimeout: 20s }',
    )
    const client = new Redis({ host: '127.0.0.1', port: gateway.ledger, retryStrategy: () => 20 })
    onTestFinished(() => client.disconnect())
    expect(await client.get('who')).toBe('one')
    expect(await gateway.switchTo('test')).toBe(200)
    await vi.waitFor(async () => expect(await client.get('who')).toBe('two'), { timeout: patienceMs, interval: 600 })
    await gateway.ended('drained')
  })
})

describe.skipIf(!hasPostgres())('a PostgreSQL behind a TCP service', () => {
  it('is changed under pooled sessions: none is torn in a statement or a transaction, and each moves within the drain time', {
    timeout: 2 * patienceMs,
  }, async () => {
    const [one, two] = [await startPostgres(onTestFinished, 'one'), await startPostgres(onTestFinished, 'two')]
    const gateway = await open(
      `{ dev: { target: "127.0.0.1:${one}", ${loopback} }, test: { target: "127.0.0.1:${two}", ${loopback} } }`,
      'protocol: postgres\n    switch: { drainTimeout: 50s }',
    )
    const who = "select current_setting('cluster_name');"
    const [idle, busy, held] = [openPsql(onTestFinished, gateway.ledger), openPsql(onTestFinished, gateway.ledger), openPsql(onTestFinished, gateway.ledger)]
    expect(await Promise.all([idle.ask(who), busy.ask(who), held.ask(`begin;\n${who}`)])).toEqual(['one', 'one', 'one'])
    const slow = busy.ask(`select 'done' from pg_sleep(2);`)
    // The statement is under way there.
    const watch = openPsql(onTestFinished, one)
    await vi.waitFor(
      async () =>
        expect(
          await watch.ask(`select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(2)%' and pid <> pg_backend_pid();`),
        ).toBe('1'),
      { timeout: patienceMs, interval: 50 },
    )
    expect(await gateway.switchTo('test')).toBe(200)
    expect(await openPsql(onTestFinished, gateway.ledger).ask(who)).toBe('two')
    await gateway.ended('drained')
    expect(await slow).toBe('done')
    expect(await held.ask(who)).toBe('one')
    expect(await held.ask('commit;')).toBe('')
    await vi.waitFor(() => expect(gateway.journal.filter((entry) => entry['kind'] === 'stream' && entry['outcome'] === 'drained')).toHaveLength(3), {
      timeout: patienceMs,
    })
  })
})
