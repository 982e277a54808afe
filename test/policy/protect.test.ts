import { describe, expect, it } from 'vitest'
import { keptOf } from '../../src/core/policy/kept.ts'
import { loadBeside } from '../support/load.ts'

const open = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const text = (cluster: string, route = '') =>
  `clusters: { a: { address: "127.0.0.1:1", ${cluster} } }\nroutes: { r: { match: { path: / }, ${open}, to: a, ${route} } }\n`
const grpc = (route: string) =>
  `clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }\nroutes: { r: { match: { grpc: shop.v1.Orders }, ${open}, to: g, ${route} } }\n`

async function linked(said: string) {
  const { policy, diagnostics } = await loadBeside(said)
  expect(diagnostics).toEqual([])
  return { cluster: policy?.clusters['a'], route: policy?.routes[0] }
}

async function codesOf(said: string) {
  const { diagnostics } = await loadBeside(said)
  return diagnostics.map(({ code }) => code)
}

describe('protection of clusters', () => {
  it('is none but the cap, without a word', async () => {
    const { cluster, route } = await linked(text('connectTimeout: 1s'))
    expect(cluster).toMatchObject({
      breaker: undefined,
      concurrency: undefined,
      caps: { requests: 1024, pending: 0, retries: undefined, connections: undefined },
    })
    expect(route).toMatchObject({ retry: undefined, hedge: undefined })
  })

  it('has defaults for a breaker that says nothing, and takes what it says', async () => {
    expect((await linked(text('breaker: {}'))).cluster?.breaker).toEqual({
      consecutive: 0,
      failures: 0.5,
      minRequests: 20,
      windowMs: 10_000,
      openMs: 30_000,
      probes: 3,
    })
    const said = 'breaker: { consecutive: 7, failures: 25%, minRequests: 5, window: 1m, open: 3s, probes: 1 }'
    expect((await linked(text(said))).cluster?.breaker).toEqual({
      consecutive: 7,
      failures: 0.25,
      minRequests: 5,
      windowMs: 60_000,
      openMs: 3_000,
      probes: 1,
    })
  })

  it('takes adaptive concurrency and caps for those who wait and those who are repeated', async () => {
    const { cluster } = await linked(text('concurrency: adaptive, caps: { requests: 10, pending: 5, retries: 2 }'))
    expect(cluster).toMatchObject({ concurrency: 'adaptive', caps: { requests: 10, pending: 5, retries: 2 } })
    expect(await codesOf(text('concurrency: 20'))).toContain('value_invalid')
  })

  it('takes a cap for connections, but of gRPC, where every endpoint has one', async () => {
    expect((await linked(text('caps: { connections: 40 }'))).cluster?.caps).toMatchObject({ connections: 40, requests: 1024 })
    expect(await codesOf(text('caps: { connections: 0 }'))).toContain('value_out_of_range')
    expect(await codesOf(grpc('timeout: 1s').replace('protocol: grpc', 'protocol: grpc, caps: { connections: 4 }'))).toEqual(['no_effect'])
  })
})

describe('tries', () => {
  it('have a time, bodies and conditions', async () => {
    const { route } = await linked(text('connectTimeout: 1s', 'retry: { perTry: 250ms, bodies: 1KiB }'))
    expect(route?.retry).toMatchObject({ perTryMs: 250, bodies: 1_024, rpcs: [], on: ['connect', 'reset', 'unavailable', 'deadline'] })
    expect((await linked(text('connectTimeout: 1s', 'retry: {}'))).route?.retry).toMatchObject({ perTryMs: undefined, bodies: 65_536, answers: undefined })
    expect((await linked(text('connectTimeout: 1s', 'retry: { answers: 16KiB }'))).route?.retry).toMatchObject({ answers: 16_384 })
  })

  it('name RPCs that are there', async () => {
    expect(await codesOf(grpc('retry: { rpcs: [GetOrder], on: [connect, resource_exhausted] }'))).toEqual([])
    expect(await codesOf(grpc('retry: { rpcs: [GetOder] }'))).toContain('name_unknown')
  })

  it.each([
    ['p95', { percentile: 0.95 }],
    ['p99.9', { percentile: expect.closeTo(0.999, 9) }],
    ['50ms', { ms: 50 }],
  ])('are hedged after %s', async (after, expected) => {
    const { route } = await linked(text('connectTimeout: 1s', `hedge: { after: ${after}, budget: 5% }`))
    expect(route?.hedge).toEqual({ after: expected, budget: 0.05 })
  })

  it.each(['1.5s', 'p49', 'p100', '95%', '0ms'])('cannot be hedged after %s', async (after) => {
    expect(await codesOf(text('connectTimeout: 1s', `hedge: { after: ${after} }`))).toContain('value_invalid')
  })
})

describe('what retries keep in memory', () => {
  it.each([
    ['bodies: 1MiB, answers: 1MiB', []],
    ['bodies: 2MiB', ['kept_much']],
    ['answers: 2MiB', ['kept_much']],
    ['bodies: 16MiB, answers: 16MiB', ['kept_much', 'kept_much']],
    ['bodies: 17MiB', ['kept_too_much']],
    ['answers: 1GiB', ['kept_too_much']],
  ])('is bounded: %s', async (said, codes) => {
    expect(await codesOf(text('', `retry: { ${said} }`))).toEqual(codes)
  })

  it('is said for all requests that the caps of the clusters let through', async () => {
    const { policy } = await loadBeside(text('caps: { requests: 500 }', 'retry: { answers: 1MiB, bodies: 1MiB }'))
    const [route] = policy?.routes ?? []
    const said = (requests: string) => `keeps at most ${requests} requests under way`
    expect(policy === undefined || route === undefined ? '' : keptOf(route, policy)).toBe(said('1000 MiB in each process: 2 MiB of each of 500'))
    const usual = await loadBeside(text('', 'retry: {}'))
    const [plain] = usual.policy?.routes ?? []
    expect(usual.policy === undefined || plain === undefined ? '' : keptOf(plain, usual.policy)).toBe(said('64 MiB in each process: 64 KiB of each of 1024'))
  })
})
