import { expect, it } from 'vitest'
import { loadBeside } from '../support/load.ts'

const beside = 'routes: { r: { match: { path: / }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: c } }'

async function clusterOf(said: string) {
  const { policy, diagnostics } = await loadBeside(`clusters: { c: { address: "127.0.0.1:1", ${said} } }\n${beside}`)
  return { cluster: policy?.clusters['c'], codes: diagnostics.map(({ code }) => code) }
}

const usual = {
  consecutive5xx: 0,
  consecutiveGateway: 5,
  successRate: undefined,
  slow: undefined,
  intervalMs: 10_000,
  ejectForMs: 10_000,
  maxEjectForMs: 300_000,
  maxEjected: 0.5,
}

it('links a balancer by its name, and with more', async () => {
  expect((await clusterOf('balance: peak_ewma')).cluster).toMatchObject({ balance: 'peak_ewma', balancing: undefined })
  expect((await clusterOf('balance: { policy: ring_hash, key: claim.sub, panic: 0%, zones: any }')).cluster).toMatchObject({
    balance: 'ring_hash',
    balancing: { key: { kind: 'claim', path: 'sub' }, slowStartMs: 0, panic: 0, zones: 'any' },
  })
  expect((await clusterOf('balance: { policy: round_robin, slowStart: 30s }')).cluster).toMatchObject({
    balancing: { key: undefined, slowStartMs: 30_000, panic: 0.5, zones: 'local' },
  })
})

it('links checks over HTTP, gRPC and TCP', async () => {
  const times = { intervalMs: 5_000, timeoutMs: 1_000, healthyAfter: 2, unhealthyAfter: 3 }
  expect((await clusterOf('health: { path: "/healthz?deep=1", statuses: [204, 300-399] }')).cluster?.health).toEqual({
    ask: {
      kind: 'http',
      path: '/healthz?deep=1',
      statuses: [
        { from: 204, to: 204 },
        { from: 300, to: 399 },
      ],
    },
    ...times,
  })
  expect((await clusterOf('health: { path: /h, interval: 1s, timeout: 200ms, healthyAfter: 1, unhealthyAfter: 1 }')).cluster?.health).toEqual({
    ask: { kind: 'http', path: '/h', statuses: [{ from: 200, to: 299 }] },
    intervalMs: 1_000,
    timeoutMs: 200,
    healthyAfter: 1,
    unhealthyAfter: 1,
  })
  expect((await clusterOf('protocol: h2, health: { tcp: true }')).cluster?.health).toEqual({ ask: { kind: 'tcp' }, ...times })
  const { policy } = await loadBeside('clusters: { g: { protocol: grpc, address: "127.0.0.1:2", health: { grpc: shop.v1.Orders } } }')
  expect(policy?.clusters['g']?.health).toEqual({ ask: { kind: 'grpc', service: 'shop.v1.Orders' }, ...times })
})

it('ejects without being told where there is no sidecar, and never where there is one', async () => {
  expect((await clusterOf('')).cluster?.outlier).toEqual(usual)
  expect((await clusterOf('outlier: off')).cluster?.outlier).toBeUndefined()
  expect((await clusterOf('sidecar: envoy, authority: a')).cluster?.outlier).toBeUndefined()
  const asked = await clusterOf('sidecar: envoy, authority: a, outlier: {}')
  expect(asked.cluster?.outlier).toEqual(usual)
  expect(asked.codes).toEqual(['outlier_twice'])
})

it('links every rule of ejection', async () => {
  const said =
    'outlier: { consecutive5xx: 7, consecutiveGateway: 2, successRate: { deviations: 1.5 }, slow: { times: 4, minRequests: 50 }, interval: 5s, ejectFor: 30s, maxEjectFor: 1m, maxEjected: 20% }'
  expect((await clusterOf(said)).cluster?.outlier).toEqual({
    consecutive5xx: 7,
    consecutiveGateway: 2,
    successRate: { deviations: 1.5, minEndpoints: 5, minRequests: 100 },
    slow: { times: 4, minRequests: 50 },
    intervalMs: 5_000,
    ejectForMs: 30_000,
    maxEjectForMs: 60_000,
    maxEjected: 0.2,
  })
})

it('warns of a check that may take longer than the time between two', async () => {
  expect((await clusterOf('health: { tcp: true, interval: 1s, timeout: 2s }')).codes).toEqual(['health_timeout_long'])
})
