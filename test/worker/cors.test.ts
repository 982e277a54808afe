import { describe, expect, it } from 'vitest'
import { buildEdge } from '../../src/core/edge.ts'
import { buildRehearse } from '../../src/core/rehearse.ts'
import { access, rule } from '../support/access.ts'
import { arrival } from '../support/arrival.ts'
import { testEdgePolicy } from '../support/edge-policy.ts'
import { fakePorts } from '../support/ports.ts'
import { testRoute } from '../support/routes.ts'

const origin = { scheme: 'http', host: 'api.example.com', port: 80, authority: 'api.example.com' } as const
const app = 'https://app.example.com'
const cors = { origins: [app], methods: undefined, headers: [], expose: [], credentials: false, maxAgeSeconds: 60, privateNetwork: false }
const policy = testEdgePolicy({
  access: { staff: access('staff', [rule('nobody', 'deny', {})], { kind: 'none' }) },
  routes: [testRoute('staff', { path: '/staff' }, { access: ['staff'], cors })],
})
const preflight = (from: string) => arrival('OPTIONS', '/staff', { origin: from, 'access-control-request-method': 'GET' })

describe('a preflight', () => {
  it('is answered at the edge, without a word to the gateway behind', async () => {
    const vouch = () => Promise.reject(new Error('nothing is handed over'))
    const edge = buildEdge(policy, { origin, vouch }, fakePorts())
    const granted = await edge(preflight(app))
    expect([granted.status, granted.headers.get('access-control-allow-origin')]).toEqual([204, app])
    const denied = await edge(preflight('https://evil.example'))
    expect([denied.status, denied.headers.has('access-control-allow-origin')]).toEqual([403, false])
    const refused = await edge(arrival('GET', '/staff', { origin: app }))
    expect([refused.status, refused.headers.get('access-control-allow-origin'), refused.headers.get('vary')]).toEqual([403, app, 'origin'])
    await edge.close()
  })

  it('is rehearsed as what it is', async () => {
    const rehearse = buildRehearse(policy, fakePorts())
    const granted = await rehearse(preflight(app), { kind: 'own' })
    expect([granted.granted, granted.refusal]).toEqual([true, undefined])
    const denied = await rehearse(preflight('https://evil.example'), { kind: 'own' })
    expect([denied.granted, denied.refusal?.code]).toEqual([false, 'cors_denied'])
    rehearse.close()
  })
})
