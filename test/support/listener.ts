import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { createClock } from '../../src/node/clock.ts'
import { type Listener, type ListenerOptions, startListener } from '../../src/node/listeners.ts'
import { memoryMeter } from './ports.ts'

/** A listener on loopback that the test's end closes. Both protocols in the clear unless said otherwise. */
export async function listen(handle: ListenerOptions['handle'], given: Partial<ListenerOptions> = {}): Promise<Listener> {
  const listener = await startListener({
    address: { host: '127.0.0.1', port: 0 },
    purpose: 'public',
    protocols: ['http/1.1', 'h2'],
    tls: undefined,
    limits: { headerBytes: 16 * 1024, headerCount: 100, requestMs: 30_000, idleMs: 60_000 },
    handle,
    clock: createClock(),
    meter: memoryMeter(),
    ...given,
  })
  onTestFinished(() => listener.close({ lameDuckMs: 0, drainMs: 0 }))
  return listener
}

/** An answer in one piece or in chunks. */
export function outbound(body?: string | AsyncIterable<Uint8Array>, given: Partial<Outbound> = {}): Outbound {
  return { status: 200, headers: new FieldList(), body: typeof body === 'string' ? Buffer.from(body) : body, ...given }
}

/** A bare connection, for what no client library would send. */
export interface Talk {
  readonly socket: Socket
  say(text: string): void
  /** Everything received once it holds `text`, or once the connection has ended. */
  hear(text: string): Promise<string>
  /** Everything received up to the end; a reset counts as an end and is marked. */
  end(): Promise<string>
}

export function talkTo(port: number): Talk {
  const socket = connect({ host: '127.0.0.1', port })
  onTestFinished(() => void socket.destroy())
  let heard = ''
  const state = { over: false }
  let waiting: (() => void)[] = []
  const wake = () => {
    const all = waiting
    waiting = []
    for (const one of all) one()
  }
  socket.on('data', (data) => {
    heard += data.toString('latin1')
    wake()
  })
  socket.on('error', () => {
    heard += '(reset)'
  })
  socket.on('close', () => {
    state.over = true
    wake()
  })
  const until = async (done: () => boolean) => {
    while (!state.over && !done()) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    }
    return heard
  }
  return {
    socket,
    say: (text) => void socket.write(text, 'latin1'),
    hear: (text) => until(() => heard.includes(text)),
    end: () => until(() => false),
  }
}
