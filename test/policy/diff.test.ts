import { describe, expect, it } from 'vitest'
import { diffPolicies } from '../../src/core/policy/diff.ts'
import { clean, loadBeside } from '../support/load.ts'

const text = (rate: string, timeout: string) => `
clusters: { a: { address: 127.0.0.1:1 } }
limits: { l: { rate: ${rate}, key: [route] } }
routes:
  one: { match: { path: /one }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [l], timeout: ${timeout}, to: a }
`

describe('diffPolicies', () => {
  it('lists every effective value that differs, by path', async () => {
    const a = clean(await loadBeside(text('10/1m', '2s')))
    const b = clean(
      await loadBeside(text('20/1m', '15s'), {
        files: { 'environments/prod.yaml': 'sallyport: v1\nclusters: { a: { authority: a.shop } }' },
        environment: 'prod',
      }),
    )
    expect(diffPolicies(a, b)).toEqual([
      { path: 'clusters.a.authority', from: undefined, to: 'a.shop' },
      { path: 'limits.l.points', from: 10, to: 20 },
      { path: 'routes.one.timeoutMs', from: 2000, to: 15_000 },
    ])
  })

  it('is empty for the same policy, and ignores the order of routes', async () => {
    const a = clean(await loadBeside(text('10/1m', '2s')))
    expect(diffPolicies(a, a)).toEqual([])
    expect(diffPolicies(a, { ...a, routes: a.routes.toReversed() })).toEqual([])
  })
})
