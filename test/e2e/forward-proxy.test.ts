import { createServer as createHttpsServer } from 'node:https'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { httpServer, rawServer, running } from '../support/sockets.ts'
import { vendorNames } from '../support/vendor-names.ts'

const patienceMs = 20_000
const loopback = 'allowAddresses: ["127.0.0.0/8"]'

let certificates: Certificates
let vendor: { readonly certificate: string; readonly key: string }
beforeAll(async () => {
  certificates = await makeCertificates()
  vendor = await certificates.issue({ dns: 'a.example' })
})

interface Asked {
  readonly environments: string
  readonly service?: string
  readonly more?: string
  readonly variables?: Readonly<Record<string, string>>
}

/** A gateway with one service of the forward proxy, `web`. */
function open({ environments, service = 'connect: true', more = '' }: Asked): Promise<Gateway> {
  const policy = `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod }, prod: { class: prod } }
listeners:
  egress: { address: 127.0.0.1:0, proxy: true }
  admin: { address: 127.0.0.1:0 }
callers:
  shop: { listener: egress, mayChooseEnv: [test] }
egress:
  web:
    kind: proxy
    callers: [shop]
${service.replaceAll(/^/gm, '    ')}
    environments: ${environments}
${more}`
  return openGateway(onTestFinished, { 'house.yaml': policy }, { flags: { lameDuck: '0s' } })
}

/** A vendor over TLS that says its name. */
function tlsVendor(name = 'a') {
  return running(createHttpsServer({ cert: vendor.certificate, key: vendor.key }, (_, response) => void response.end(`hello from ${name}`)))
}

interface Opened {
  readonly status: number
  readonly head: string
  readonly socket: Socket
}

/** Sends a CONNECT and waits for the head of its answer. */
function ask(gateway: Gateway, target: string, headers = `Host: ${target}\r\n`, behind: Uint8Array | string = ''): Promise<Opened> {
  const socket = connectTcp({ port: gateway.port('egress'), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.write(`CONNECT ${target} HTTP/1.1\r\n${headers}\r\n`)
  if (behind.length > 0) socket.write(behind)
  let said = ''
  return new Promise((resolve, reject) => {
    socket.on('close', () => reject(new Error(`closed after ${said}`)))
    socket.on('data', function heard(data: Buffer) {
      said += data.toString('latin1')
      const end = said.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', heard)
      socket.pause()
      if (said.length > end + 4) socket.unshift(Buffer.from(said.slice(end + 4), 'latin1'))
      resolve({ status: Number(said.split(' ')[1]), head: said.slice(0, end).toLowerCase(), socket })
    })
  })
}

/** Speaks TLS through an open tunnel. Rejects with what ends the handshake. */
function handshake({ socket }: Opened, servername = 'a.example'): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({ socket, servername, ca: certificates.ca, checkServerIdentity: () => undefined })
    onTestFinished(() => void tls.destroy())
    tls.once('secureConnect', () => resolve(tls))
    tls.once('error', reject)
    tls.once('close', () => reject(new Error('closed')))
  })
}

const ended = (gateway: Gateway, outcome: string) => gateway.entry((one) => one['kind'] === 'stream' && one['outcome'] === outcome)

async function get(tls: TLSSocket): Promise<string> {
  tls.write('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const part of tls) text += String(part)
  return text.split('\r\n\r\n')[1] ?? ''
}

describe('a tunnel', () => {
  it('leads to the vendor that was asked for, and is recorded with its bytes', { timeout: patienceMs }, async () => {
    vendorNames(onTestFinished)
    const { port } = await tlsVendor()
    const gateway = await open({ environments: `{ dev: { hosts: [a.example], ports: [${port}], ${loopback} } }` })
    const opened = await ask(gateway, `a.example:${port}`)
    expect(opened.status).toBe(200)
    expect(opened.head).toContain('x-egress-service: web')
    expect(opened.head).toContain('x-egress-env: dev')
    expect(opened.head).not.toContain('content-length')
    expect(await get(await handshake(opened))).toContain('hello from a')
    const record = await ended(gateway, 'closed')
    expect(record).toMatchObject({ service: 'web', caller: 'shop', environment: 'dev', target: `a.example:${port}`, listener: 'egress' })
    expect(record['bytes_out']).toBeGreaterThan(200)
    expect(await gateway.admin('/metrics')).toContain('sallyport_egress_streams_total{service="web",outcome="closed"} 1')
  })
})
