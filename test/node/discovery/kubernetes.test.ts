import { expect, onTestFinished, test, vi } from 'vitest'
import type { KubernetesSource } from '../../../src/core/policy/linked/endpoints.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { type FollowOptions, follow } from '../../support/followed.ts'
import { type FakeKubernetes, openKubernetes, type SliceInput } from '../../support/kubernetes.ts'

const slice = (name: string, ...addresses: readonly string[]): SliceInput => ({ name, endpoints: addresses.map((address) => ({ address })) })

function source(server: FakeKubernetes, given: Partial<KubernetesSource> = {}): KubernetesSource {
  return { kind: 'kubernetes', apiServer: server.url, namespace: 'shop', service: 'orders', port: 'http', token: undefined, ca: undefined, ...given }
}

async function setUp(slices: readonly SliceInput[], options: FollowOptions & { readonly pageSize?: number } = {}) {
  const server = await openKubernetes(onTestFinished, slices, options.pageSize)
  const followed = follow(onTestFinished, source(server), options)
  const watching = () => vi.waitFor(() => expect(server.watches).toBe(1), { timeout: 20_000, interval: 10 })
  return { server, watching, lists: () => server.asked.filter((target) => !target.includes('watch=true')).length, ...followed }
}

test('it lists the slices of the service, page by page, and watches from there', { timeout: 30_000 }, async () => {
  const { server, until, watching } = await setUp([slice('a', '10.0.0.1'), slice('b', '10.0.0.2'), slice('c', '10.0.0.3')], { pageSize: 2 })
  await until('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080')
  await watching()
  expect(server.asked.map((target) => new URL(target, server.url).searchParams.get('resourceVersion'))).toEqual([null, null, '100'])
  server.put(slice('b', '10.0.0.2', '10.0.0.4'))
  await until('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080', '10.0.0.4:8080')
  server.put(slice('d', '10.0.0.5'))
  await until('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080', '10.0.0.4:8080', '10.0.0.5:8080')
  server.remove('a')
  await until('10.0.0.2:8080', '10.0.0.3:8080', '10.0.0.4:8080', '10.0.0.5:8080')
})

test('a watch that breaks is taken up where it was, bookmarks included, without a new list', { timeout: 30_000 }, async () => {
  const { server, until, watching, lists } = await setUp([slice('a', '10.0.0.1')])
  await watching()
  server.put(slice('b', '10.0.0.2'))
  await until('10.0.0.1:8080', '10.0.0.2:8080')
  server.cut()
  server.put(slice('c', '10.0.0.3'))
  await until('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080')
  expect(lists()).toBe(1)
  expect(server.asked.at(-1)).toContain('resourceVersion=101')
})

test.each(['status', 'event'] as const)('a beginning that is too old (410 Gone, as %s) begins with a new list', { timeout: 30_000 }, async (how) => {
  const { server, until, watching, lists } = await setUp([slice('a', '10.0.0.1')])
  await watching()
  server.compact(how)
  server.cut()
  server.put(slice('b', '10.0.0.2'))
  // What was put after the compaction is in the new list.
  await until('10.0.0.1:8080', '10.0.0.2:8080')
  server.compact(how)
  server.cut()
  await vi.waitFor(() => expect(lists()).toBeGreaterThanOrEqual(2), { timeout: 20_000, interval: 10 })
})

test('what the API server says wrongly takes nothing away, and is mended by a new list', { timeout: 60_000 }, async () => {
  const { server, until, watching, problem, addresses } = await setUp([slice('a', '10.0.0.1', '10.0.0.2')])
  for (const lie of [
    'no json at all\n',
    '{"type":"ADDED","object":{"metadata":{"name":7}}}\n',
    '{"type":"SURPRISE","object":{"metadata":{"name":"x"},"addressType":"IPv4","endpoints":[]}}\n',
    '{"type":"ERROR","object":{"code":500,"reason":"InternalError"}}\n',
  ]) {
    await watching()
    server.send(lie)
    await problem(/./)
    expect(addresses()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080'])
    await vi.waitFor(() => expect(server.watches).toBe(1), { timeout: 20_000, interval: 10 })
  }
  server.say((_request, response) => response.writeHead(500).end('{"message":"etcdserver: request timed out"}'))
  server.cut()
  await problem(/500 \(etcdserver/)
  expect(addresses()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080'])
  server.recover()
  server.put(slice('b', '10.0.0.3'))
  await until('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080')
})

test('a list without endpoints keeps the last good set', { timeout: 30_000 }, async () => {
  const { server, watching, problem, addresses } = await setUp([slice('a', '10.0.0.1')])
  await watching()
  server.remove('a')
  await problem(/no endpoint/)
  // A sign of life is not a word for what is in force.
  server.bookmark()
  server.put(slice('b'))
  await problem(/no endpoint/)
  expect(addresses()).toEqual(['10.0.0.1:8080'])
})

test('the token is read for every request, so that a replaced one is used', { timeout: 30_000 }, async () => {
  const variables: Record<string, string> = { TOKEN: 'first' }
  const server = await openKubernetes(onTestFinished, [slice('a', '10.0.0.1')])
  const { until } = follow(onTestFinished, source(server, { token: 'env:TOKEN' }), { variables })
  await until('10.0.0.1:8080')
  await vi.waitFor(() => expect(server.watches).toBe(1), { timeout: 20_000, interval: 10 })
  variables['TOKEN'] = 'second'
  server.cut()
  await vi.waitFor(() => expect(server.tokens).toEqual(['Bearer first', 'Bearer first', 'Bearer second']), { timeout: 20_000, interval: 10 })
})

test('a source that is closed ends its watch', { timeout: 30_000 }, async () => {
  const { server, watching, source: followed } = await setUp([slice('a', '10.0.0.1')])
  await watching()
  followed.close()
  await vi.waitFor(() => expect(server.watches).toBe(0), { timeout: 20_000, interval: 10 })
})

test('the API server is checked against the authority that is given, and against no other', { timeout: 30_000 }, async () => {
  const { ca, server: pair } = await makeCertificates()
  const server = await openKubernetes(onTestFinished, [slice('a', '10.0.0.1')], 500, pair)
  const trusting = follow(onTestFinished, source(server, { ca: 'env:CA' }), { variables: { CA: ca } })
  const doubting = follow(onTestFinished, source(server))
  await trusting.until('10.0.0.1:8080')
  await doubting.problem(/UNABLE_TO|SELF_SIGNED/)
  expect(doubting.addresses()).toEqual([])
})
