import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { createClock } from '../../../src/node/clock.ts'
import { type Carried, carry } from '../../../src/node/streams/carry.ts'
import { anyConversation } from '../../../src/node/streams/conversation.ts'
import { fakeClock } from '../../support/clock.ts'

/** A workload that `meet` has connected to a target, with what carries between them. */
async function meet(atTarget: (socket: Socket) => void): Promise<{ readonly workload: Socket; readonly carried: Carried }> {
  const target = await listen(atTarget)
  const { promise, resolve } = Promise.withResolvers<Carried>()
  const gateway = await listen((near) => {
    const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true }, () => {
      resolve(
        carry({ near, far, clock: createClock(), idleMs: 20_000, lifetimeMs: 60_000, provedMs: undefined, conversation: anyConversation(), drainMs: 5_000 }),
      )
    })
  })
  const workload = connect({ port: gateway, host: '127.0.0.1', allowHalfOpen: true })
  workload.on('error', () => {})
  workload.on('end', () => workload.end())
  onTestFinished(() => void workload.destroy())
  return { workload, carried: await promise }
}

async function listen(take: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    onTestFinished(() => void socket.destroy())
    take(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

const megabytes = Buffer.alloc(24 * 1024 * 1024, 'x')

/** Takes a little at a time: more slowly than the system's own buffers are emptied within a second. */
async function readSlowly(socket: Socket, perPause: number, pauseMs: number): Promise<number> {
  let read = 0
  let since = 0
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length
    since += chunk.length
    if (since < perPause) return
    since = 0
    socket.pause()
    setTimeout(() => socket.resume(), pauseMs)
  })
  await once(socket, 'end')
  return read
}

it('does not rest while an answer waits for a workload that reads slowly', async () => {
  const { workload, carried } = await meet((socket) => {
    socket.once('data', () => socket.write(megabytes))
  })
  workload.write('please')
  setTimeout(() => carried.drain(10_000, 'drained'), 300)
  await new Promise((resolve) => setTimeout(resolve, 800))
  expect(await readSlowly(workload, 4 * 1024 * 1024, 100)).toBe(megabytes.length)
  expect(await carried.over).toBe('drained')
}, 15_000)

it('waits for the last of an answer to be taken, however slowly, when the target is gone', async () => {
  const clock = fakeClock()
  const taking: (() => void)[] = []
  // A workload whose connection takes one write at a time, when it is told to.
  const workload = new Duplex({ allowHalfOpen: true, read() {}, write: (_chunk, _encoding, taken) => void taking.push(taken) })
  const { promise: near, resolve } = Promise.withResolvers<Socket>()
  const port = await listen((socket) => {
    socket.resume()
    resolve(socket)
  })
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  // The cast is safe: of a socket no more is asked here than a stream has.
  const carried = carry({
    near: workload as Socket,
    far,
    clock,
    idleMs: 60_000,
    lifetimeMs: 600_000,
    provedMs: undefined,
    conversation: anyConversation(),
    drainMs: 5_000,
  })
  workload.push(null)
  ;(await near).end('the last')
  await once(far, 'close')
  for (let i = 0; i < 10; i += 1) clock.advance(1_000)
  expect([workload.destroyed, workload.writableFinished]).toEqual([false, false])
  for (const taken of taking) taken()
  await once(workload, 'finish')
  clock.advance(2_000)
  expect(await carried.over).toBe('closed')
})
