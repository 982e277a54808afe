import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { cutShort } from '../../src/node/cut.ts'

test('a connection that is cut while its own end is on the way closes all the same', async () => {
  const server = createServer({ allowHalfOpen: true })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]> // what Node says of this event
  const client = connect((server.address() as { port: number }).port, '127.0.0.1') // it listens on a port
  client.on('error', () => {})
  onTestFinished(() => void client.destroy())
  const [socket] = await accepted
  const problems: unknown[] = []
  socket.on('error', (error) => problems.push(error))
  const closed = once(socket, 'close')
  socket.end('goodbye')
  cutShort(socket)
  await closed
  expect(problems).toEqual([])
})
