import { expect, it, onTestFinished } from 'vitest'
import { http1 } from '../support/clients.ts'
import { testEdgePolicy } from '../support/edge-policy.ts'
import type { Keep } from '../support/keep.ts'
import { openWorker } from '../support/worker.ts'

const keep: Keep = (close) => onTestFinished(async () => await close())

it('answers every request with 503 while a binding is missing, and says on the console which', async () => {
  const worker = await openWorker(keep, {
    policy: testEdgePolicy(),
    vars: { ORIGIN: 'http://localhost:9', EDGE_ISSUER: undefined },
    unbound: ['LIMIT_THREE'],
  })
  for (const path of ['/open/a', '/limited', '/livez', '/readyz', '/.well-known/jwks.json', '/nowhere']) {
    const answer = await http1(worker.port, { path })
    expect(answer.status, path).toBe(503)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(answer.text)).toEqual({
      type: 'urn:sallyport:problem:config_quarantined',
      title: 'Configuration quarantined',
      status: 503,
      detail: 'this edge is not set up',
      code: 'config_quarantined',
    })
  }
  expect(worker.calls).toEqual([])
  expect(worker.logs()).toMatchObject([{ event: 'worker_refused', reasons: ['EDGE_ISSUER is not set', 'LIMIT_THREE is not a rate-limit binding'] }])
})

it('answers with 503 while its key is none, and does not show it', async () => {
  const worker = await openWorker(keep, {
    policy: testEdgePolicy(),
    vars: { ORIGIN: 'http://localhost:9', EDGE_KEY: '{"kty":"oct","k":"very-secret"}' },
  })
  expect(await http1(worker.port, { path: '/open/a' })).toMatchObject({ status: 503 })
  expect(worker.logs()).toMatchObject([{ event: 'worker_refused', reasons: ['EDGE_KEY: it is not a private ES256 key in JWK form'] }])
  expect(JSON.stringify(worker.logs())).not.toContain('very-secret')
})
