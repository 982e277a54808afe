import { Agent, get as get1 } from 'node:http'
import { connect } from 'node:http2'
import { expect, onTestFinished, test } from 'vitest'
import { fakeClock } from '../support/clock.ts'
import { listen, outbound, talkTo } from '../support/listener.ts'
import { gate, textOf } from '../support/sockets.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

test('a graceful close finishes what is in flight, over both protocols, and takes nothing new', async () => {
  const go = gate()
  const arrived = [gate(), gate()]
  let count = 0
  const listener = await listen(async () => {
    arrived[count++]?.resolve()
    await go.promise
    return outbound('finished')
  })
  const idle = talkTo(listener.address.port)
  const h1 = talkTo(listener.address.port)
  h1.say(get)
  const client = connect(`http://127.0.0.1:${listener.address.port}`)
  onTestFinished(() => client.destroy())
  const h2 = textOf(client.request({ ':path': '/' }))
  await Promise.all(arrived.map((one) => one.promise))

  const closed = listener.close({ lameDuckMs: 0, drainMs: 10_000 })
  await idle.end()
  const late = talkTo(listener.address.port)
  expect(await late.end()).toBe('(reset)')
  go.resolve()
  expect(await h1.end()).toMatch(/connection: close[\s\S]*finished$/)
  expect(await h2).toBe('finished')
  await closed
})

test('in the lame duck time requests are still served, and told to come back elsewhere', async () => {
  const clock = fakeClock()
  const listener = await listen(async () => outbound('served'), { clock })
  const talk = talkTo(listener.address.port)
  talk.say(get)
  expect(await talk.hear('served')).not.toContain('connection: close')
  const closed = listener.close({ lameDuckMs: 5_000, drainMs: 1_000 })
  talk.say(get)
  expect(await talk.end()).toContain('connection: close')
  const other = talkTo(listener.address.port)
  other.say(get)
  expect(await other.end()).toContain('served')
  clock.advance(5_000)
  await closed
})

test('a second close without a lame duck time ends the first one’s, and leaves no timer', async () => {
  const clock = fakeClock()
  const listener = await listen(async () => outbound('served'), { clock })
  const first = listener.close({ lameDuckMs: 5_000, drainMs: 1_000 })
  expect(clock.pending).toBe(1)
  await listener.close({ lameDuckMs: 0, drainMs: 0 })
  await first
  expect(clock.pending).toBe(0)
})

test('a graceful close under load loses no request, over HTTP/1.1 with keep-alive', async () => {
  const listener = await listen(async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return outbound('answered')
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  onTestFinished(() => agent.destroy())
  let asked = 0
  let failed = 0
  const enough = gate()
  const state = { stopping: false }
  const ask = () =>
    new Promise<void>((resolve) => {
      const request = get1({ host: '127.0.0.1', port: listener.address.port, agent }, (response) => {
        response.resume()
        response.on('end', () => resolve())
        response.on('error', () => {
          failed += 1
          resolve()
        })
      })
      request.on('error', () => {
        failed += 1
        resolve()
      })
    })
  const client = async () => {
    while (!state.stopping) {
      asked += 1
      if (asked === 500) enough.resolve()
      await ask()
    }
  }
  const clients = Promise.all(Array.from({ length: 16 }, client))
  await enough.promise
  // In the lame duck time traffic moves elsewhere: here, it stops.
  const closed = listener.close({ lameDuckMs: 1_000, drainMs: 5_000 })
  setTimeout(() => {
    state.stopping = true
  }, 50)
  await clients
  await closed
  expect(asked).toBeGreaterThan(500)
  expect(failed).toBe(0)
})

test('what has not ended when the drain time is over is cut', async () => {
  const clock = fakeClock()
  const arrived = gate()
  const lost = gate<string>()
  const listener = await listen(
    async ({ lifeline }) => {
      lifeline.onEnd((why) => lost.resolve(why.code))
      arrived.resolve()
      await lost.promise
      return outbound('too late')
    },
    { clock },
  )
  const talk = talkTo(listener.address.port)
  talk.say(get)
  await arrived.promise
  const closed = listener.close({ lameDuckMs: 0, drainMs: 25_000 })
  clock.advance(24_999)
  expect(talk.socket.destroyed).toBe(false)
  clock.advance(1)
  expect(await lost.promise).toBe('client_closed')
  await closed
})

test('an address that is taken is an error at the start', async () => {
  const { address } = await listen(async () => outbound('ok'))
  await expect(listen(async () => outbound('ok'), { address })).rejects.toThrow('EADDRINUSE')
})
