import { describe, expect, it } from 'vitest'
import { diffPolicies } from '../../src/core/policy/diff.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { clean, loadBeside } from '../support/load.ts'

const text = (rate: string, timeout: string) => `
clusters: { a: { address: 127.0.0.1:1 } }
limits: { l: { rate: ${rate}, key: [route] } }
routes:
  one: { match: { path: /one }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, limits: [l], timeout: ${timeout}, to: a }
`

const routes = (to: string, rules = '{ id: all, allow: { anonymous: true } }', more = '') => `
clusters: { a: { address: "127.0.0.1:1", subsets: { v1: { authority: v1 }, v2: { authority: v2 } } } }
routes:
  one: { match: { path: /one, methods: [GET] }, access: { rules: [${rules}] }, to: ${to} }
${more}`

async function difference(a: string, b: string) {
  const [from, to] = [clean(await loadBeside(a)), clean(await loadBeside(b))]
  return diffPolicies(from, to)
}

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

  it('shows what one side lacks as one whole', async () => {
    const more = '  two: { match: { path: /two }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: a }\nlimits: {}\n'
    const changes = await difference(routes('a'), routes('a', undefined, more))
    expect(changes.map(({ path }) => path)).toEqual(['access.two', 'routes.two'])
    expect(changes[1]).toMatchObject({ from: undefined, to: { name: 'two', match: { path: '/two' }, split: [{ cluster: 'a', weight: 100 }] } })
    expect(JSON.stringify(changes)).not.toContain('undefined')
  })

  it('compares destinations by where they go, and rules by id', async () => {
    const split = (v1: number, v2: number) => `[{ cluster: a, subset: v1, weight: ${v1} }, { cluster: a, subset: v2, weight: ${v2} }]`
    expect(await difference(routes(split(90, 10)), routes(split(80, 20)))).toEqual([
      { path: 'routes.one.split.a/v1.weight', from: 90, to: 80 },
      { path: 'routes.one.split.a/v2.weight', from: 10, to: 20 },
    ])
    const all = '{ id: all, allow: { anonymous: true } }'
    const changes = await difference(routes('a', all), routes('a', `{ id: no, deny: { cidrs: [10.0.0.0/8] } }, ${all}`))
    expect(changes).toMatchObject([{ path: 'access.one.rules.no', from: undefined, to: { effect: 'deny', matcher: { cidrs: ['10.0.0.0/8'] } } }])
  })

  it('shows lists of plain values as a whole', async () => {
    expect(await difference(routes('a'), routes('a').replace('methods: [GET]', 'methods: [GET, PUT]'))).toEqual([
      { path: 'routes.one.match.methods', from: ['GET'], to: ['GET', 'PUT'] },
    ])
  })

  it('shows items that cannot be told apart as a whole', async () => {
    const [from, to] = [90, 80].map((first) => routes(`[{ cluster: a, subset: v1, weight: ${first} }, { cluster: a, subset: v1, weight: ${100 - first} }]`))
    const changes = await difference(from ?? '', to ?? '')
    expect(changes).toMatchObject([{ path: 'routes.one.split', from: [{ weight: 90 }, { weight: 10 }], to: [{ weight: 80 }, { weight: 20 }] }])
  })

  it('never shows bytes', async () => {
    const a = clean(await loadBeside(text('10/1m', '2s')))
    const withBytes = (...bytes: readonly number[]): Policy => ({ ...a, descriptors: { 'shop.binpb': Uint8Array.from(bytes) } })
    expect(diffPolicies(withBytes(1, 2), withBytes(1, 2))).toEqual([])
    const [change] = diffPolicies(withBytes(1, 2), withBytes(1, 3))
    expect([change?.path, change?.from, change?.to]).toEqual([
      'descriptors.shop.binpb',
      expect.stringMatching(/^2 bytes, checksum [0-9a-f]{8}$/),
      expect.stringMatching(/^2 bytes, checksum [0-9a-f]{8}$/),
    ])
    expect(diffPolicies(a, withBytes(1, 2))).toMatchObject([{ path: 'descriptors.shop.binpb', from: undefined }])
  })
})
