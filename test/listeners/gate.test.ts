import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { openGate } from '../../src/node/listeners/gate.ts'
import type { ConnectionCaps } from '../../src/node/listeners/options.ts'
import { memoryMeter } from '../support/ports.ts'

function gate(caps: Partial<ConnectionCaps>) {
  const meter = memoryMeter()
  const opened = openGate({ caps, purpose: 'public', meter })
  /** Whether a new connection of this peer is still open when its first bytes would be read. */
  const stays = async (remoteAddress: string): Promise<boolean> => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false })
    const real = Object.assign(socket, {
      destroy() {
        socket.destroyed = true
        socket.emit('close')
      },
    })
    opened.admit(real as unknown as Socket) // what of a socket the gate uses
    await new Promise((next) => void setImmediate(next))
    return !socket.destroyed
  }
  return { meter, opened, stays }
}

it('a client network opens no more connections in a time than it may', async () => {
  const { stays, meter, opened } = gate({ arrivals: { points: 2, windowMs: 3_600_000 } })
  expect([await stays('192.0.2.1'), await stays('192.0.2.1'), await stays('192.0.2.1')]).toEqual([true, true, false])
  expect(await stays('192.0.2.2')).toBe(true)
  expect(meter.total('sallyport_connections_refused_total', { reason: 'rate' })).toBe(1)
  expect(opened.open).toBe(3)
})

it('addresses inside one /64 are one network', async () => {
  const { stays } = gate({ arrivals: { points: 2, windowMs: 3_600_000 } })
  expect([await stays('2001:db8::1'), await stays('2001:db8::2'), await stays('2001:db8::3'), await stays('2001:db8:0:1::1')]).toEqual([
    true,
    true,
    false,
    true,
  ])
})

it('load balancers and workloads beside us are not counted, and nobody is where nothing is said', async () => {
  const { stays } = gate({ arrivals: { points: 1, windowMs: 3_600_000 }, isShared: (address) => address === '10.0.0.1' })
  for (const peer of ['127.0.0.1', '::1', '10.0.0.1']) expect([await stays(peer), await stays(peer)]).toEqual([true, true])
  const any = gate({})
  expect([await any.stays('192.0.2.1'), await any.stays('192.0.2.1')]).toEqual([true, true])
})
