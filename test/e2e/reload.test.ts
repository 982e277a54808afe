import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { expect, test, vi } from 'vitest'
import type { JournalRecord } from '../../src/core/ports.ts'
import { loadFolder } from '../../src/node/policy-source/load-folder.ts'
import { loadInProcess } from '../../src/node/policy-source/load-process.ts'
import { mapOf, textOf } from '../../src/node/record-values.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, issuerSection, openHttp, openIssuer, openOrders, shopDescriptors } from '../support/shop.ts'

const keep = untilTheEnd()

type Side = 'a' | 'b'

/** Routes of one side; every name they use is defined by the objects of the same side alone. */
const routes = (side: Side) => `sallyport: v1
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: orders-${side}, limits: [limit-${side}], timeout: 5s, to: orders-${side} }
  web: { match: { path: "/web/{**}" }, access: web-${side}, limits: [limit-${side}], timeout: 5s, to: web-${side} }
`

const objects = (side: Side, ports: Ports) => `sallyport: v1
limits:
  limit-${side}: { rate: 1000000/1m, key: [route] }
access:
  orders-${side}: { authenticate: { jwt: shop }, rules: [{ id: all-${side}, allow: { scopes: [orders:read] } }] }
  web-${side}: { rules: [{ id: all-${side}, allow: { anonymous: true } }] }
clusters:
  orders-${side}: { protocol: grpc, address: "127.0.0.1:${ports.orders[side]}", descriptors: shop.binpb }
  web-${side}: { address: "127.0.0.1:${ports.web[side]}" }
`

interface Ports {
  readonly orders: Readonly<Record<Side, number>>
  readonly web: Readonly<Record<Side, number>>
}

/** Asks again and again until told to stop. Every answer is one word: its status, and which side each part of it came from. */
function askOnAndOn(url: string, headers: Readonly<Record<string, string>>, sideIn: (text: string) => string, stop: AbortSignal) {
  const agent = new Agent({ connections: 2 })
  keep(() => agent.destroy())
  const words = new Map<string, number>()
  const one = async () => {
    // At a pace that leaves the gateway of this process time to reload.
    for (; !stop.aborted; await pause(8)) {
      const answer = await request(url, { headers, dispatcher: agent })
      const word = `${answer.statusCode} ${/limit-(\w)/.exec(String(answer.headers['ratelimit-policy']))?.[1]}${sideIn(await answer.body.text())}`
      words.set(word, (words.get(word) ?? 0) + 1)
    }
  }
  return { words, done: Promise.all([one(), one()]) }
}

/** An NDJSON stream that stays open: how many lines it has brought, and whether it ended. */
async function openStream(url: string, headers: Readonly<Record<string, string>>) {
  const sent = httpRequest(url, { headers, agent: false })
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  keep(() => void sent.destroy())
  const seen = { status: answer.statusCode, text: '', ended: false }
  answer.setEncoding('utf8')
  answer.on('data', (text: string) => {
    seen.text += text
  })
  answer.on('close', () => {
    seen.ended = true
  })
  return { seen, nextLine: () => once(answer, 'data') }
}

test('200 reloads under load: no request fails, none sees half of each, and a broken file in between changes nothing', { timeout: 60_000 }, async () => {
  const issuer = await openIssuer(keep)
  const orders = { a: await openOrders(keep, 'orders-a'), b: await openOrders(keep, 'orders-b') }
  const web = { a: await openHttp(keep, (_, response) => response.end('web-a')), b: await openHttp(keep, (_, response) => response.end('web-b')) }
  const ports: Ports = { orders: { a: orders.a.port, b: orders.b.port }, web }
  let load = loadFolder
  const gateway = await openGateway(
    keep,
    { 'house.yaml': `${house}${issuerSection(issuer)}`, 'shop.binpb': shopDescriptors, 'routes.yaml': routes('a'), 'objects.yaml': objects('a', ports) },
    { flags: { strict: true }, start: { load: (asked) => load(asked), watch: { quietMs: 10, pollMs: 2000 } } },
  )
  const { running, policies } = gateway
  const events: JournalRecord[] = []
  running.journal.subscribe((entry) => entry['kind'] === 'event' && events.push(entry))
  const published = () => events.filter((entry) => entry['event'] === 'policy_published').length
  const url = `http://127.0.0.1:${gateway.port('public')}`
  const bearer = { authorization: `Bearer ${await issuer.mint('alice', { scope: 'orders:read' })}` }

  const stop = new AbortController()
  const overHttp = askOnAndOn(`${url}/web/x`, {}, (text) => text.slice(-1), stop.signal)
  const overGrpc = askOnAndOn(`${url}/v1/orders/7`, bearer, (text) => /"servedBy":"orders-(\w)"/.exec(text)?.[1] ?? text, stop.signal)
  const stream = await openStream(`${url}/v1/orders:watch?interval_ms=5`, bearer)

  const revisions = new Map<string, Side>([[running.live.current.revision, 'a']])
  let side: Side = 'a'
  /** Writes the other side; the folder holds half of each while one file is written and the other is not. */
  const turn = async (): Promise<void> => {
    side = side === 'a' ? 'b' : 'a'
    await policies.write('routes.yaml', routes(side))
    await policies.write('objects.yaml', objects(side, ports))
  }
  const inForceAfter = async (count: number): Promise<void> => {
    await vi.waitFor(() => expect(published()).toBeGreaterThanOrEqual(count), { timeout: 10_000, interval: 2 })
    revisions.set(running.live.current.revision, side)
  }

  for (let count = 1; count <= 100; count++) {
    await turn()
    expect(await running.reload()).toMatchObject({ diagnostics: [] })
    await inForceAfter(count)
  }

  const revision = running.live.current.revision
  await policies.write('objects.yaml', objects(side, ports).replace('clusters:', 'clutsers:'))
  const place = 'objects.yaml:7:1'
  await vi.waitFor(() => expect(events).toContainEqual(expect.objectContaining({ event: 'policy_diagnostic', level: 'error', place })), {
    timeout: 10_000,
    interval: 2,
  })
  const ready = JSON.parse(await gateway.admin('/readyz')) as { readonly lastLoad: { readonly diagnostics: readonly string[] } }
  expect(ready).toMatchObject({ status: 'ready', revision, lastLoad: { outcome: 'failed' } })
  expect(ready.lastLoad.diagnostics.join()).toContain(place)
  const metrics = await gateway.admin('/metrics')
  expect(metrics).toContain('sallyport_policy_last_reload_success 0')
  expect(metrics).toMatch(/sallyport_reload_total\{outcome="failed"\} [1-9]/)
  expect(running.live.current.revision).toBe(revision)

  for (let count = 101; count <= 200; count++) {
    // The last few in a process of their own, as `serve` does: slower, so not all of them.
    if (count === 197) load = loadInProcess
    await turn()
    await inForceAfter(count)
  }
  const last = stream.seen.text.length
  await stream.nextLine()
  stop.abort()
  await Promise.all([overHttp.done, overGrpc.done])

  expect(published()).toBe(200)
  expect(revisions.size).toBe(2)
  for (const { words } of [overHttp, overGrpc]) {
    expect([...words.keys()].toSorted()).toEqual(['200 aa', '200 bb'])
    for (const count of words.values()) expect(count).toBeGreaterThan(20)
  }
  const records = gateway.journal.filter((entry) => entry['kind'] === 'request')
  const mixed = records.filter((record) => {
    const sides = [textOf(mapOf(record['permit'])['rule']), textOf(mapOf(record['destination'])['cluster'])].map((name) => name.slice(-1))
    return record['status'] !== 200 || !sides.every((one) => one === revisions.get(textOf(record['revision'])))
  })
  expect(mixed).toEqual([])

  // The stream was opened under the first policies and runs on under them.
  expect(stream.seen).toMatchObject({ status: 200, ended: false })
  expect(stream.seen.text.length).toBeGreaterThan(last)
  const lines = stream.seen.text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { sequence: string; order: { servedBy: string } })
  expect(lines.map(({ sequence }) => Number(sequence))).toEqual(lines.map((_, at) => at + 1))
  expect(new Set(lines.map(({ order }) => order.servedBy))).toEqual(new Set(['orders-a']))
  expect(await gateway.admin('/metrics')).toContain('sallyport_policy_last_reload_success 1')
  expect(await gateway.admin('/metrics')).not.toMatch(/sallyport_bugs_total\{.*\} [1-9]/)
})
