import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextIndex, readInstances } from '../../src/core/discovery/consul.ts'
import { linesOf } from '../../src/core/discovery/lines.ts'
import { endpointsOf, readEvent, readPage } from '../../src/core/discovery/slices.ts'
import type { Found } from '../../src/core/ports.ts'
import { addressText, inOrder } from '../../src/core/upstream/discovery/found.ts'
import { judgeShrinking } from '../../src/core/upstream/discovery/shrinking.ts'
import { entryOf } from '../support/consul.ts'

/** As whoever follows the source takes them. */
const addresses = (found: readonly Found[]) => inOrder(found).map(({ address }) => addressText(address))

interface Endpoint {
  readonly addresses: readonly string[]
  readonly conditions?: object
  readonly zone?: string
  readonly nodeName?: string
}

function slices(...given: readonly { readonly addressType?: string; readonly ports?: readonly object[]; readonly endpoints: readonly Endpoint[] | null }[]) {
  const items = given.map(({ addressType = 'IPv4', ports = [{ name: 'http', port: 8080, protocol: 'TCP' }], endpoints }, at) => ({
    metadata: { name: `orders-${at}`, labels: { 'kubernetes.io/service-name': 'orders', track: 'canary' } },
    addressType,
    ports,
    endpoints,
  }))
  return readPage({ metadata: { resourceVersion: '5' }, items }).slices
}

test('ready endpoints count; a condition that is not stated holds', () => {
  const found = endpointsOf(
    slices({
      endpoints: [
        { addresses: ['10.0.0.1'] },
        { addresses: ['10.0.0.2'], conditions: { ready: null } },
        { addresses: ['10.0.0.3'], conditions: { ready: false } },
        { addresses: ['10.0.0.4'], conditions: { ready: true, serving: true, terminating: true } },
        { addresses: ['10.0.0.5', '10.0.0.6'], conditions: { ready: true }, zone: 'a', nodeName: 'n1' },
      ],
    }),
    'http',
  )
  expect(addresses(found)).toEqual(['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.5:8080'])
  expect(found[2]).toMatchObject({ zone: 'a', labels: { node: 'n1', track: 'canary' } })
})

test('where nothing is ready, what ends and still serves counts', () => {
  const endpoints = [
    { addresses: ['10.0.0.1'], conditions: { ready: false, serving: true, terminating: true } },
    { addresses: ['10.0.0.2'], conditions: { ready: false, serving: false, terminating: true } },
    { addresses: ['10.0.0.3'], conditions: { ready: false, serving: true, terminating: false } },
  ]
  expect(addresses(endpointsOf(slices({ endpoints }), 'http'))).toEqual(['10.0.0.1:8080'])
})

test('slices are one set: an endpoint in two of them counts once, and of two families IPv4 does', () => {
  const twice = { endpoints: [{ addresses: ['10.0.0.1'] }] }
  const six = { addressType: 'IPv6', endpoints: [{ addresses: ['2001:db8::1'] }] }
  expect(addresses(endpointsOf(slices(twice, twice, six, { endpoints: null }), 'http'))).toEqual(['10.0.0.1:8080'])
  expect(addresses(endpointsOf(slices(six), 'http'))).toEqual(['[2001:db8::1]:8080'])
})

test('the port is found by name or number; a slice without it has no endpoints', () => {
  const ports = [
    { name: 'http', port: 8080, protocol: 'UDP' },
    { name: 'http', port: 8081, protocol: 'TCP' },
    { name: '', port: 9090 },
    { name: 'none', port: null },
  ]
  const given = slices({ ports, endpoints: [{ addresses: ['10.0.0.1'] }] })
  expect(addresses(endpointsOf(given, 'http'))).toEqual(['10.0.0.1:8081'])
  expect(addresses(endpointsOf(given, 9090))).toEqual(['10.0.0.1:9090'])
  expect(endpointsOf(given, 'none')).toEqual([])
  expect(endpointsOf(given, 8080)).toEqual([])
})

test('instances of Consul: address, weight by their checks, tags and meta as labels, zone', () => {
  const said = [
    entryOf({ host: '', port: 80 }),
    entryOf({ host: '10.0.0.2', port: 80, tags: ['canary', 'version=v1'], meta: { version: 'v2' }, weights: { Passing: 7, Warning: 2 }, zone: 'a' }),
    entryOf({ host: '10.0.0.3', port: 80, status: 'warning', weights: { Passing: 7, Warning: 2 } }),
    entryOf({ host: '10.0.0.4', port: 80, status: 'critical' }),
    entryOf({ host: '10.0.0.5', port: 0 }),
  ]
  const strict = inOrder(readInstances(said, true))
  expect(addresses(strict)).toEqual(['10.0.0.2:80', '10.1.10.12:80'])
  expect(strict[0]).toEqual({ address: { kind: 'tcp', host: '10.0.0.2', port: 80 }, weight: 7, zone: 'a', labels: { canary: 'true', version: 'v2' } })
  expect(inOrder(readInstances(said, false)).map(({ address, weight }) => [addressText(address), weight])).toEqual([
    ['10.0.0.2:80', 7],
    ['10.0.0.3:80', 2],
    ['10.1.10.12:80', 1],
  ])
})

test('an index is kept while it grows, and begins anew otherwise', () => {
  expect([nextIndex(0, 10), nextIndex(10, 11), nextIndex(10, 10)]).toEqual([10, 11, 10])
  expect([nextIndex(10, 9), nextIndex(10, 0), nextIndex(10, -1), nextIndex(10, Number.NaN)]).toEqual([0, 0, 0, 0])
})

function outcomeOf(read: () => unknown): string {
  try {
    read()
    return 'read'
  } catch (error) {
    return error instanceof Error ? error.message : 'no error'
  }
}

test('answers of any shape are read or refused with a sentence', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (said) => {
      for (const read of [readPage, readEvent, (value: unknown) => readInstances(value, true)]) {
        expect(outcomeOf(() => read(said))).toMatch(/^read|^its answer is no|^the watch/)
      }
    }),
  )
})

test('lines are the same wherever the chunks are cut, and what is cut off is none', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', maxLength: 20 })), fc.array(fc.integer({ min: 1, max: 9 })), async (words, cuts) => {
      const lines = words.map((word) => word.replaceAll(/[\r\n]/g, '').trim()).filter((word) => word !== '')
      const bytes = new TextEncoder().encode(`${lines.map((line) => `${line}\n`).join('')}cut off`)
      async function* chunks() {
        let at = 0
        for (let i = 0; at < bytes.length; i += 1) {
          const next = at + (cuts[i % Math.max(1, cuts.length)] ?? 4)
          yield bytes.subarray(at, next)
          at = next
        }
      }
      const read: string[] = []
      for await (const line of linesOf({ status: 200, headers: {}, chunks: chunks() }, 1_000)) read.push(line)
      expect(read).toEqual(lines)
    }),
  )
})

test('a line without end is given up', async () => {
  async function* chunks() {
    for (;;) yield new TextEncoder().encode('x'.repeat(100))
  }
  const read = async () => {
    for await (const line of linesOf({ status: 200, headers: {}, chunks: chunks() }, 1_000)) throw new Error(line)
  }
  await expect(read()).rejects.toThrow(/longer than 1000/)
})

test('what shrinks by more than the share is held back, and nothing at all is never taken unless that is said', () => {
  const rule = { share: 0.5, confirmMs: 1, empty: 'keep' } as const
  expect([judgeShrinking(0, 1, rule), judgeShrinking(4, 2, rule), judgeShrinking(4, 1, rule), judgeShrinking(1, 9, rule)]).toEqual([
    'take',
    'take',
    'hold',
    'take',
  ])
  expect([judgeShrinking(4, 0, rule), judgeShrinking(0, 0, rule)]).toEqual(['keep', 'keep'])
  expect([judgeShrinking(4, 0, { ...rule, empty: 'take' }), judgeShrinking(0, 0, { ...rule, empty: 'take' })]).toEqual(['hold', 'keep'])
})

test('more endpoints than can be meant are refused', () => {
  const found = Array.from(
    { length: 5_001 },
    (_, port): Found => ({ address: { kind: 'tcp', host: '10.0.0.1', port }, weight: 1, zone: undefined, labels: {} }),
  )
  expect(() => inOrder(found)).toThrow(/5001/)
  expect(inOrder(found.slice(1)).length).toBe(5_000)
})
