import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { createClock } from '../../../src/node/clock.ts'
import { readSrvAnswer, srvQuestion } from '../../../src/node/dns-message.ts'
import { candidatesOf, createNames } from '../../../src/node/names.ts'
import { openDnsServer } from '../../support/dns-server.ts'
import { follow } from '../../support/followed.ts'
import { tempFolder } from '../../support/temp-folder.ts'

async function setUp() {
  const server = await openDnsServer(onTestFinished)
  return { server, names: createNames({ clock: createClock(), servers: [server.address] }) }
}

test('addresses of both families come with their least time to live', async () => {
  const { server, names } = await setUp()
  server.on('orders.mesh', [
    { type: 'A', ttl: 30, data: '10.0.0.1' },
    { type: 'A', ttl: 20, data: '10.0.0.2' },
    { type: 'AAAA', ttl: 60, data: '2001:db8::1' },
  ])
  expect(await names.addresses('orders.mesh')).toEqual({ addresses: ['10.0.0.1', '10.0.0.2', '2001:db8::1'], ttlMs: 20_000, missing: undefined })
})

test('a name that does not exist has no address; a server that fails is no answer', { timeout: 30_000 }, async () => {
  const { server, names } = await setUp()
  expect(await names.addresses('nobody.mesh')).toMatchObject({ addresses: [] })
  server.on('broken.mesh', 'servfail')
  await expect(names.addresses('broken.mesh')).rejects.toThrow(/ESERVFAIL/)
})

test('services come with their time to live, over TCP where they do not fit a datagram', async () => {
  const { server, names } = await setUp()
  const records = [
    { type: 'SRV', ttl: 40, data: '10 5 8080 a.mesh' },
    { type: 'SRV', ttl: 50, data: '20 0 8081 b.mesh' },
  ] as const
  const services = [
    { priority: 10, weight: 5, port: 8080, host: 'a.mesh' },
    { priority: 20, weight: 0, port: 8081, host: 'b.mesh' },
  ]
  server.on('_grpc._tcp.orders.mesh', records)
  expect(await names.services('_grpc._tcp.orders.mesh')).toEqual({ services, ttlMs: 40_000 })
  server.on('_grpc._tcp.many.mesh', { tcpOnly: records })
  expect(await names.services('_grpc._tcp.many.mesh')).toEqual({ services, ttlMs: 40_000 })
  expect(await names.services('_grpc._tcp.nobody.mesh')).toEqual({ services: [], ttlMs: undefined })
})

test('services that nobody can tell are no answer', { timeout: 30_000 }, async () => {
  const { server, names } = await setUp()
  for (const [name, answer, said] of [
    ['_a._tcp.x', 'servfail', /SERVFAIL/],
    ['_b._tcp.x', 'garbage', /malformed/],
    ['_c._tcp.x', 'silence', /did not answer/],
  ] as const) {
    server.on(name, answer)
    await expect(names.services(name)).rejects.toThrow(said)
  }
})

test('localhost and the hosts file count before DNS', async () => {
  const { path: folder } = await tempFolder()
  const hostsFile = join(folder, 'hosts')
  await writeFile(hostsFile, '# none.mesh\n127.0.0.9 other.mesh orders.mesh # the service\n')
  const server = await openDnsServer(onTestFinished)
  const names = createNames({ clock: createClock(), servers: [server.address], hostsFile, lookup: async () => [{ address: '127.0.0.9', family: 4 }] })
  expect(await names.addresses('orders.mesh')).toEqual({ addresses: ['127.0.0.9'], ttlMs: undefined })
  expect(await names.addresses('localhost')).toEqual({ addresses: ['127.0.0.9'], ttlMs: undefined })
  expect(await names.addresses('[::1]')).toEqual({ addresses: ['::1'], ttlMs: undefined })
  expect(server.asked).toEqual([])
})

test('search domains are tried as resolv.conf says', () => {
  const kubernetes = 'nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local\noptions ndots:5\n'
  expect(candidatesOf('orders.shop', kubernetes)).toEqual(['orders.shop.shop.svc.cluster.local', 'orders.shop.svc.cluster.local', 'orders.shop'])
  expect(candidatesOf('orders.example.com', 'search corp.example\n')).toEqual(['orders.example.com', 'orders.example.com.corp.example'])
  expect(candidatesOf('orders', '')).toEqual(['orders'])
})

function outcomeOf(read: () => string | undefined): string {
  try {
    return read() ?? 'nothing'
  } catch (error) {
    return String(error)
  }
}

test('an answer is read or refused, whatever its bytes are', () => {
  const question = srvQuestion('_grpc._tcp.orders.mesh')
  const head = Buffer.from(question.bytes.subarray(0, 12))
  head.writeUInt16BE(0x8180, 2)
  head.writeUInt16BE(0, 10)
  const asked = question.bytes.subarray(12, question.bytes.length - 11)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (rest, answers) => {
      head.writeUInt16BE(answers, 6)
      expect(outcomeOf(() => readSrvAnswer(Buffer.concat([head, asked, rest]), question)?.kind)).toMatch(/^services$|malformed/)
    }),
  )
  const other = srvQuestion('_grpc._tcp.stock.mesh')
  expect(readSrvAnswer(Buffer.concat([head, asked]), { ...other, id: question.id })).toBeUndefined()
  head.writeUInt16BE(question.id ^ 1, 0)
  expect(readSrvAnswer(Buffer.concat([head, asked]), question)).toBeUndefined()
})

test('SRV targets of the lowest priority that have an address are the endpoints, by weight', { timeout: 30_000 }, async () => {
  const { server } = await setUp()
  server.on('_grpc._tcp.orders.mesh', [
    { type: 'SRV', ttl: 1, data: '10 5 8080 gone.mesh' },
    { type: 'SRV', ttl: 1, data: '20 3 8080 a.mesh' },
    { type: 'SRV', ttl: 1, data: '20 0 9090 b.mesh' },
    { type: 'SRV', ttl: 1, data: '30 1 8080 c.mesh' },
  ])
  server.on('a.mesh', [
    { type: 'A', ttl: 1, data: '10.0.0.1' },
    { type: 'A', ttl: 1, data: '10.0.0.2' },
  ])
  server.on('b.mesh', [{ type: 'A', ttl: 1, data: '10.0.0.3' }])
  server.on('c.mesh', [{ type: 'A', ttl: 1, data: '10.0.0.4' }])
  const { source, until } = follow(onTestFinished, { kind: 'srv', name: '_grpc._tcp.orders.mesh' }, { dns: server.address })
  await until('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:9090')
  expect(source.found?.map(({ weight }) => weight)).toEqual([15, 15, 1])
  server.on('gone.mesh', [{ type: 'A', ttl: 1, data: '10.0.0.9' }])
  server.on('a.mesh', 'servfail')
  // Priority 10 is back: one of three, so the others stay until that is certain.
  await until('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:9090', '10.0.0.9:8080')
})

test('a name that vanishes, fails or does not answer keeps its last addresses', { timeout: 60_000 }, async () => {
  const { server } = await setUp()
  const good = [{ type: 'A', ttl: 1, data: '10.0.0.1' }] as const
  server.on('orders.mesh', good)
  const { until, problem, addresses } = follow(onTestFinished, { kind: 'dns', name: 'orders.mesh', port: 80 }, { dns: server.address })
  await until('10.0.0.1:80')
  for (const [answer, said] of [
    ['nxdomain', /no endpoint/],
    ['servfail', /SERVFAIL/],
    [[], /no endpoint/],
  ] as const) {
    server.on('orders.mesh', answer)
    await problem(said)
    expect(addresses()).toEqual(['10.0.0.1:80'])
  }
  server.on('orders.mesh', [{ type: 'A', ttl: 1, data: '10.0.0.2' }])
  await until('10.0.0.2:80')
})
