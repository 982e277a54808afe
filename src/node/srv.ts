import { createSocket } from 'node:dgram'
import { getServers } from 'node:dns'
import { connect, isIP } from 'node:net'
import type { Clock, NamedServices } from '../core/ports.ts'
import { type Question, readSrvAnswer, type SrvAnswer, srvQuestion } from './dns-message.ts'

interface Server {
  readonly address: string
  readonly port: number
}

/** For one server, milliseconds. Each is asked twice before nobody can say. */
const patienceMs = 2_000
const rounds = 2

/**
 * SRV records with their times to live, which Node's resolver does not tell: over UDP from a port of its own for each question, and over
 * TCP where the answer does not fit. Servers as `address` or `address:port`; empty: those of the machine.
 */
export function createSrv(servers: readonly string[], clock: Clock): (name: string) => Promise<NamedServices> {
  return async (name) => {
    let last: unknown = new Error('there is no DNS server')
    const all = (servers.length > 0 ? servers : getServers()).map(serverOf)
    for (let round = 0; round < rounds; round += 1) {
      for (const server of all) {
        try {
          const { services, ttlMs } = await ask(srvQuestion(name), server, clock)
          return { services, ttlMs }
        } catch (error) {
          last = error
        }
      }
    }
    throw last
  }
}

async function ask(question: Question, server: Server, clock: Clock): Promise<Extract<SrvAnswer, { kind: 'services' }>> {
  const answer = await askUdp(question, server, clock)
  if (answer.kind === 'services') return answer
  const whole = await askTcp(question, server, clock)
  if (whole.kind === 'services') return whole
  throw new Error('DNS cut its answer over TCP')
}

function askUdp(question: Question, { address, port }: Server, clock: Clock): Promise<SrvAnswer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4')
    const over = (act: () => void) => {
      timer.cancel()
      socket.close()
      act()
    }
    const timer = clock.after(patienceMs, () => over(() => reject(new Error(`DNS (${address}) did not answer in ${patienceMs} ms`))))
    socket.once('error', (error) => over(() => reject(error)))
    socket.on('message', (bytes) => {
      try {
        const answer = readSrvAnswer(bytes, question)
        if (answer !== undefined) over(() => resolve(answer))
      } catch (error) {
        over(() => reject(error))
      }
    })
    // Connected: the system drops what comes from elsewhere.
    socket.connect(port, address, () => socket.send(question.bytes))
  })
}

function askTcp(question: Question, { address, port }: Server, clock: Clock): Promise<SrvAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port })
    let read = Buffer.alloc(0)
    const over = (act: () => void) => {
      timer.cancel()
      socket.destroy()
      act()
    }
    const timer = clock.after(patienceMs, () => over(() => reject(new Error(`DNS (${address}) did not answer in ${patienceMs} ms`))))
    socket.on('error', (error) => over(() => reject(error)))
    socket.on('close', () => over(() => reject(new Error(`DNS (${address}) closed without an answer`))))
    socket.on('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(question.bytes.length)
      socket.write(Buffer.concat([length, question.bytes]))
    })
    socket.on('data', (chunk) => {
      read = Buffer.concat([read, chunk])
      if (read.length < 2 || read.length < 2 + read.readUInt16BE(0)) return
      try {
        const answer = readSrvAnswer(read.subarray(2, 2 + read.readUInt16BE(0)), question)
        over(() => (answer === undefined ? reject(new Error('DNS answered another question')) : resolve(answer)))
      } catch (error) {
        over(() => reject(error))
      }
    })
  })
}

function serverOf(text: string): Server {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text)
  if (bracketed !== null) return { address: bracketed[1] ?? '', port: Number(bracketed[2] ?? 53) }
  if (isIP(text) !== 0) return { address: text, port: 53 }
  const at = text.lastIndexOf(':')
  return { address: text.slice(0, at), port: Number(text.slice(at + 1)) }
}
