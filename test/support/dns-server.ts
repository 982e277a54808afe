import { createSocket } from 'node:dgram'
import { createServer, type Socket } from 'node:net'
import type { Keep } from './keep.ts'

/** One record as the server says it. `data`: an address, or of SRV `priority weight port target`. */
export interface DnsRecord {
  readonly type: 'A' | 'AAAA' | 'SRV' | 'CNAME'
  readonly ttl: number
  readonly data: string
}

/** What a name answers: records, that it does not exist, that the server failed, nothing at all, bytes that are no DNS, or records over TCP alone. */
export type DnsAnswer = readonly DnsRecord[] | 'nxdomain' | 'servfail' | 'silence' | 'garbage' | { readonly tcpOnly: readonly DnsRecord[] }

export interface DnsServer {
  /** `127.0.0.1:port` */
  readonly address: string
  /** `A name` and so on, in the order they were asked. */
  readonly asked: readonly string[]
  /** What a name answers from now on; of records those of the type that is asked for. */
  on(name: string, answer: DnsAnswer): void
}

const types = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const

/** A DNS server on UDP and TCP that knows what it is told; any other name does not exist. */
export async function openDnsServer(keep: Keep): Promise<DnsServer> {
  const known = new Map<string, DnsAnswer>()
  const asked: string[] = []
  const answerTo = (query: Buffer, overTcp: boolean): Buffer | undefined => {
    const { name, type, end } = questionIn(query)
    const question = query.subarray(12, end)
    asked.push(`${Object.entries(types).find(([, number]) => number === type)?.[0] ?? type} ${name}`)
    const answer = known.get(name) ?? 'nxdomain'
    if (answer === 'silence') return undefined
    if (answer === 'garbage')
      return Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0]), question, Buffer.from([0xc0, 0xff, 1])])
    if (answer === 'nxdomain') return message(query, question, 3, [], false)
    if (answer === 'servfail') return message(query, question, 2, [], false)
    if (!('tcpOnly' in answer)) return message(query, question, 0, fitting(answer, type), false)
    return overTcp ? message(query, question, 0, fitting(answer.tcpOnly, type), false) : message(query, question, 0, [], true)
  }
  const udp = createSocket('udp4')
  const sockets = new Set<Socket>()
  const tcp = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      const answer = answerTo(data.subarray(2), true)
      if (answer === undefined) return
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      socket.write(Buffer.concat([length, answer]))
    })
  })
  udp.on('message', (query, { address, port }) => {
    const answer = answerTo(query, false)
    if (answer !== undefined) udp.send(answer, port, address)
  })
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
  const bound = tcp.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve))
  keep(() => {
    udp.close()
    for (const socket of sockets) socket.destroy()
    tcp.close()
  })
  return { address: `127.0.0.1:${port}`, asked, on: (name, answer) => void known.set(name, answer) }
}

function fitting(records: readonly DnsRecord[], type: number): readonly DnsRecord[] {
  return records.filter((record) => types[record.type] === type || record.type === 'CNAME')
}

function questionIn(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function message(query: Buffer, question: Buffer, code: number, records: readonly DnsRecord[], truncated: boolean): Buffer {
  const head = Buffer.alloc(12)
  query.copy(head, 0, 0, 2)
  head.writeUInt16BE(0x8180 | code | (truncated ? 0x0200 : 0), 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(records.length, 6)
  return Buffer.concat([head, question, ...records.map(recordBytes)])
}

/** Its name is a pointer to the question's (RFC 1035 section 4.1.4). */
function recordBytes({ type, ttl, data }: DnsRecord): Buffer {
  const body = dataBytes(type, data)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(types[type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(body.length, 10)
  return Buffer.concat([head, body])
}

function dataBytes(type: DnsRecord['type'], data: string): Buffer {
  if (type === 'A') return Buffer.from(data.split('.').map(Number))
  if (type === 'AAAA') return ipv6Bytes(data)
  if (type === 'CNAME') return nameBytes(data)
  const [priority = '', weight = '', port = '', target = ''] = data.split(' ')
  const numbers = Buffer.alloc(6)
  numbers.writeUInt16BE(Number(priority), 0)
  numbers.writeUInt16BE(Number(weight), 2)
  numbers.writeUInt16BE(Number(port), 4)
  return Buffer.concat([numbers, nameBytes(target)])
}

function nameBytes(name: string): Buffer {
  const labels = name === '.' ? [] : name.split('.')
  return Buffer.concat([...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])), Buffer.from([0])])
}

function ipv6Bytes(text: string): Buffer {
  const [before = '', after = ''] = text.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const [front, back] = [words(before), words(after)]
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}
