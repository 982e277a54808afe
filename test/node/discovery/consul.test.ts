import { expect, onTestFinished, test, vi } from 'vitest'
import type { ConsulSource } from '../../../src/core/policy/linked/endpoints.ts'
import { type FakeConsul, type Instance, openConsul } from '../../support/consul.ts'
import { follow } from '../../support/followed.ts'

const instance = (last: number, given: Partial<Instance> = {}): Instance => ({ host: `10.0.0.${last}`, port: 8080, ...given })

async function setUp(instances: readonly Instance[], given: Partial<ConsulSource> = {}) {
  const server = await openConsul(onTestFinished, instances)
  const asked: ConsulSource = {
    kind: 'consul',
    address: server.url,
    service: 'orders',
    tag: undefined,
    datacenter: undefined,
    token: undefined,
    ca: undefined,
    passing: true,
    stale: true,
    ...given,
  }
  return { server, waiting: () => until(server), ...follow(onTestFinished, asked, { variables: { CONSUL_TOKEN: 'acl' } }) }
}

const until = (server: FakeConsul) => vi.waitFor(() => expect(server.waiting).toBe(1), { timeout: 20_000, interval: 10 })
const query = (target: string | undefined) => Object.fromEntries(new URL(target ?? '', 'http://consul').searchParams)

test('it asks for healthy instances, then waits for news by the index', { timeout: 30_000 }, async () => {
  const { server, until, waiting } = await setUp([instance(1), instance(2, { status: 'critical' }), instance(3, { status: 'warning' })], {
    tag: undefined,
    datacenter: 'dc2',
    token: 'env:CONSUL_TOKEN',
  })
  await until('10.0.0.1:8080')
  await waiting()
  expect(server.asked.map((target) => target.split('?')[0])).toEqual(['/v1/health/service/orders', '/v1/health/service/orders'])
  expect(query(server.asked[0])).toEqual({ passing: 'true', dc: 'dc2', stale: '' })
  expect(query(server.asked[1])).toEqual({ passing: 'true', dc: 'dc2', stale: '', index: '10', wait: '55s' })
  expect(server.tokens).toEqual(['acl', 'acl'])
  server.register([instance(1), instance(4)])
  await until('10.0.0.1:8080', '10.0.0.4:8080')
  await waiting()
  expect(query(server.asked.at(-1))['index']).toBe('11')
})

test('an index that goes backwards begins anew', { timeout: 30_000 }, async () => {
  const { server, waiting } = await setUp([instance(1)])
  await waiting()
  server.setIndex(3)
  await vi.waitFor(() => expect(server.asked.map((target) => query(target)['index'])).toEqual([undefined, '10', undefined, '3']), {
    timeout: 20_000,
    interval: 10,
  })
})

test('empty, broken, huge and wrong answers keep the last good set, and it recovers', { timeout: 60_000 }, async () => {
  const { server, until, waiting, problem, addresses } = await setUp([instance(1), instance(2)])
  await waiting()
  server.register([])
  await problem(/no endpoint/)
  expect(addresses()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080'])
  const json = { 'content-type': 'application/json', 'x-consul-index': '99' }
  for (const [lie, said] of [
    [(response) => response.writeHead(500).end('No cluster leader'), /500 \(No cluster leader/],
    [(response) => response.writeHead(200, json).end('<html>'), /no JSON/],
    [(response) => response.writeHead(200, json).end('{"Node":1}'), /no list of instances/],
    [(response) => response.writeHead(200, json).end('[{"Node":{"Address":"10.0.0.9"},"Service":{"Port":"80"}}]'), /no list of instances/],
    [(response) => response.writeHead(200, json).end(' '.repeat(17 * 1024 * 1024)), /longer/],
    [(response) => response.destroy(), /ECONNRESET|closed|hang up/],
  ] as const satisfies readonly (readonly [(response: Parameters<Parameters<FakeConsul['say']>[0]>[1]) => unknown, RegExp])[]) {
    server.say((_request, response) => void lie(response))
    server.cut()
    await problem(said)
    expect(addresses()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080'])
  }
  server.recover()
  server.register([instance(1), instance(5)])
  await until('10.0.0.1:8080', '10.0.0.5:8080')
})

test('a source that is closed ends its question', { timeout: 30_000 }, async () => {
  const { server, waiting, source } = await setUp([instance(1)])
  await waiting()
  source.close()
  await vi.waitFor(() => expect(server.waiting).toBe(0), { timeout: 20_000, interval: 10 })
})
