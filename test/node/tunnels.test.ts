import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import type { TunnelRequest } from '../../src/core/egress/tunnel.ts'
import type { Live } from '../../src/core/live.ts'
import { openTunnels } from '../../src/node/tunnels.ts'
import { arrival } from '../support/arrival.ts'
import { realHello } from '../support/client-hello.ts'
import { service } from '../support/egress.ts'
import { fakePorts } from '../support/ports.ts'
import { until } from '../support/until.ts'

/** Both ends of a connection. */
async function pair(): Promise<readonly [client: Socket, near: Socket]> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).on('error', () => {})
  const [near] = (await once(server, 'connection')) as [Socket]
  onTestFinished(() => {
    server.close()
    client.destroy()
    near.destroy()
  })
  return [client, near]
}

it('does not count a client that has left while it was decided about', async () => {
  const ports = fakePorts()
  const deciding = Promise.withResolvers<TunnelRequest>()
  const settings = { protocol: undefined, maxConnections: 1, idleMs: 1000, lifetimeMs: 10_000, drainMs: 500 }
  const target = { host: '127.0.0.1', port: 1, tls: false, environment: 'dev' }
  const place = { revision: 'r', service: service('web'), settings, caller: 'shop', target, vet: () => 'denied here', question: { service: 'web' } }
  const request = {
    id: 'one',
    service: 'web',
    caller: undefined,
    asked: '127.0.0.1:1',
    decided: place,
    refuse: () => ({ status: 403, headers: new Headers() }),
  }
  // The casts are safe: of both no more is asked here than they have.
  const live = { ask: () => deciding.promise, watch: () => () => {}, current: { revision: 'r' } } as unknown as Live
  const tunnels = openTunnels({ name: 'egress', live, ports })
  const [client, near] = await pair()
  tunnels.take({ arrival: arrival('CONNECT', '127.0.0.1:1'), socket: near, head: new Uint8Array(), serveClear: () => {} })
  near.resume()
  client.resetAndDestroy()
  await new Promise<void>((gone) => void near.once('close', () => gone()))
  deciding.resolve(request as unknown as TunnelRequest)
  await until(() => expect(ports.journal.records[0]).toMatchObject({ kind: 'stream', service: 'web' }))
  expect(ports.meter.level('sallyport_egress_streams', { service: 'web' }) ?? 0).toBe(0)
  expect(ports.journal.records[0]).toMatchObject({ kind: 'stream', service: 'web', outcome: 'closed' })
})

it('ends a tunnel with the token or certificate that opened it', async () => {
  const ports = fakePorts()
  const { clock } = ports
  const vendor = createServer((socket) => void socket.on('error', () => {}).resume())
  vendor.listen(0, '127.0.0.1')
  await once(vendor, 'listening')
  onTestFinished(() => void vendor.close())
  const settings = { protocol: undefined, maxConnections: 1, idleMs: 60_000, lifetimeMs: 60_000, drainMs: 500 }
  const target = { host: 'localhost', port: (vendor.address() as AddressInfo).port, tls: false, environment: 'dev' }
  const place = { revision: 'r', service: service('web'), settings, target, vet: () => undefined, question: { service: 'web' }, clientHelloMs: 5_000 }
  const caller = { kind: 'caller', name: 'shop', until: clock.now() + 10_000 }
  const accept = () => ({ status: 200, headers: new Headers() })
  const request = { id: 'one', service: 'web', caller, asked: 'localhost:443', decided: place, accept }
  // The casts are safe: of both no more is asked here than they have.
  const ask = async () => request as unknown as TunnelRequest
  const live = { ask, watch: () => () => {}, current: { revision: 'r', tunnels: { again: () => place } } } as unknown as Live
  const tunnels = openTunnels({ name: 'egress', live, ports: { ...ports, resolve: async () => ['127.0.0.1'] } })
  const [client, near] = await pair()
  tunnels.take({ arrival: arrival('CONNECT', 'localhost:443'), socket: near, head: new Uint8Array(), serveClear: () => {} })
  const reached = once(vendor, 'connection') as Promise<[Socket]>
  await once(client, 'data')
  client.write(await realHello({ servername: 'localhost' }))
  const [far] = await reached
  await once(far, 'data')
  far.write('an answer')
  await once(client, 'data')
  clock.advance(9_900)
  expect(ports.journal.records).toEqual([])
  const ended = once(client, 'end')
  clock.advance(200)
  await ended
  client.end()
  far.end()
  await until(() => expect(ports.journal.records[0]).toMatchObject({ kind: 'stream', caller: 'shop', outcome: 'expired' }))
})
