import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Fault } from '../../../src/core/model/fault.ts'
import { dial } from '../../../src/node/channels/dial.ts'
import { createClock } from '../../../src/node/clock.ts'
import { askForTls } from '../../../src/node/streams/postgres/ssl-request.ts'
import { endpointAt } from '../../support/calls.ts'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { fakeResolve, fakeSecrets } from '../../support/ports.ts'
import { rawServer } from '../../support/sockets.ts'

const sslRequest = '\0\0\0\x08\x04\xd2\x16\x2f'

/** A server that answers the request for TLS so. What it heard in clear text, by connection. */
async function answering(answer: (socket: Socket) => void) {
  const heard: string[] = []
  const server = await rawServer((socket) => {
    const at = heard.push('') - 1
    const take = (bytes: Buffer) => {
      heard[at] += bytes.toString('latin1')
      if (heard[at] !== sslRequest) return
      socket.off('data', take)
      answer(socket)
    }
    socket.on('data', take).on('error', () => {})
  })
  return { port: server.port, heard }
}

async function dialled(port: number, serverName = 'service.test', certificates?: Certificates): Promise<string | Socket> {
  const endpoint = endpointAt(port, { tls: { serverName, ca: 'env:CA', certificate: undefined, key: undefined }, connectTimeoutMs: 300 })
  const secrets = fakeSecrets({ 'env:CA': (certificates ?? (await makeCertificates())).ca })
  try {
    const socket = await dial(endpoint, ['postgresql'], { clock: createClock(), resolve: fakeResolve(), secrets, beforeTls: askForTls })
    onTestFinished(() => void socket.destroy())
    return socket
  } catch (error) {
    return error instanceof Fault ? `${error.code}: ${String(error.detail.internal)}` : String(error)
  }
}

const tlsOver =
  ({ server }: Certificates, before = 'S') =>
  (socket: Socket) => {
    socket.write(before)
    const secure = new TLSSocket(socket, { isServer: true, cert: server.certificate, key: server.key, ALPNProtocols: ['postgresql'] })
    secure.on('error', () => {}).on('data', (bytes) => secure.write(`heard ${String(bytes)}`))
  }

describe('TLS of a PostgreSQL server', () => {
  it('begins after it was asked for and allowed, verified against the name', async () => {
    const certificates = await makeCertificates()
    const { port, heard } = await answering(tlsOver(certificates))
    const socket = await dialled(port, 'service.test', certificates)
    if (!(socket instanceof TLSSocket)) throw new Error('it was not opened')
    expect([socket.authorized, socket.alpnProtocol]).toEqual([true, 'postgresql'])
    const answer = new Promise((resolve) => void socket.once('data', (bytes) => resolve(String(bytes))))
    socket.write('hello')
    expect(await answer).toBe('heard hello')
    expect(heard).toEqual([sslRequest])
  })

  it('is not begun, and nothing further said, where the answer is no, an error, nothing, an end, or has anything behind it', async () => {
    const certificates = await makeCertificates()
    const cases: readonly (readonly [string, (socket: Socket) => void])[] = [
      ['does not speak TLS', (socket) => socket.write('N')],
      ['did not answer whether it speaks TLS', (socket) => socket.write('E\0\0\0\x09oops\0')],
      ['did not answer whether it speaks TLS', (socket) => socket.write('G')],
      ['beginning TLS took too long', () => {}],
      ['ended instead of answering', (socket) => socket.end()],
      ['in clear text behind the answer', tlsOver(certificates, 'SR\0\0\0\x08\0\0\0\0')],
      ['in clear text behind the answer', tlsOver(certificates, 'SS')],
    ]
    for (const [why, answer] of cases) {
      const { port, heard } = await answering(answer)
      expect(await dialled(port, 'service.test', certificates)).toMatch(new RegExp(`^upstream_unavailable: .*${why}`))
      expect(heard).toEqual([sslRequest])
    }
  })

  it('is not taken from somebody else', async () => {
    const certificates = await makeCertificates()
    const { port } = await answering(tlsOver(certificates))
    expect(await dialled(port, 'other.test', certificates)).toMatch(/^upstream_unavailable: .*other\.test was expected$/)
    expect(await dialled(port, 'service.test')).toMatch(/^upstream_unavailable: /)
  })
})
