import { describe, expect, it } from 'vitest'
import { clean, loadBeside, marked } from '../support/load.ts'

const clusters = 'clusters: { a: { address: "127.0.0.1:1", subsets: { v2: { authority: v2 } } }, b: { address: "127.0.0.1:2" } }\n'
/** Uses `b`, so that no cluster is unused. */
const other = 'other: { match: { path: /other }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: b }'
const route = (more: string) =>
  `${clusters}routes: { r: { match: { path: / }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, ${more} }, ${other} }\n`
const linked = async (more: string) => clean(await loadBeside(route(more))).routes[0]

describe('a guard on a destination', () => {
  it('is linked with its numbers, said or not', async () => {
    const both = await linked('to: [{ cluster: a, weight: 90 }, { cluster: a, subset: v2, weight: 10, guard: {} }]')
    expect(both?.split[1]?.guard).toEqual({ errorRateDelta: 0.01, p95Ratio: 1.3, minSamples: 500, windowMs: 300_000 })
    expect(both?.split[0]).not.toHaveProperty('guard')
    const said = await linked(
      'to: [{ cluster: a, weight: 90 }, { cluster: a, subset: v2, weight: 10, guard: { errorRateDelta: 2%, p95Ratio: 2, minSamples: 100, window: 1m } }]',
    )
    expect(said?.split[1]?.guard).toEqual({ errorRateDelta: 0.02, p95Ratio: 2, minSamples: 100, windowMs: 60_000 })
  })

  it.each([
    ['where nobody can take over', 'to: [{ cluster: a, weight: 0 }, { cluster: a, subset: v2, weight: 100, «guard: {} }]'],
    ['where all that have a weight have guards', 'to: [{ cluster: a, weight: 50, «guard: {} }, { cluster: b, weight: 50, guard: {} }]'],
    ['where nobody comes by weight', 'to: [{ cluster: a, weight: 100 }, { cluster: a, subset: v2, weight: 0, «guard: {} }]'],
    ['of a single destination', 'to: { cluster: a, «guard: {} }'],
  ])('is a warning %s', async (_, more) => {
    const { text, marks } = marked(route(more))
    const { diagnostics } = await loadBeside(text)
    expect(diagnostics.map(({ severity, code, line, column }) => [severity, code, `${line - 1}:${column}`])[0]).toEqual(['warning', 'no_effect', marks[0]])
  })

  it.each(['{ minSamples: 10 }', '{ p95Ratio: 1 }', '{ window: 1s }', '{ errorRateDelta: 200% }', '{ abort: true }'])(
    'that says %s is refused',
    async (guard) => {
      const { diagnostics } = await loadBeside(route(`to: [{ cluster: a, weight: 90 }, { cluster: b, weight: 10, guard: ${guard} }]`))
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toHaveLength(1)
    },
  )
})

describe('failover of a destination', () => {
  it('is linked with what it says and what it does not', async () => {
    expect((await linked('to: { cluster: a, failover: { cluster: b } }'))?.split[0]?.failover).toEqual({ cluster: 'b', subset: undefined, on: ['connect'] })
    expect((await linked('to: { cluster: b, failover: { cluster: a, subset: v2, on: [unavailable, overloaded] } }'))?.split[0]?.failover).toEqual({
      cluster: 'a',
      subset: 'v2',
      on: ['unavailable', 'overloaded'],
    })
  })

  it.each([
    ['to an unknown cluster', 'cluster: «gone', 'name_unknown'],
    ['to an unknown subset', 'cluster: a, subset: «v9', 'name_unknown'],
    ['to where it goes already', 'cluster: a', 'failover_same'],
    ['without conditions', 'cluster: b, on: «[]', 'value_out_of_range'],
    ['on what is none', 'cluster: b, on: [«reset]', 'value_invalid'],
    ['to a cluster that speaks something else', 'cluster: g', 'protocol_differs'],
  ])('%s is refused', async (_, failover, code) => {
    const { text } = marked(
      route(`to: { cluster: a, failover: { ${failover} } }`).replace('clusters: {', 'clusters: { g: { protocol: grpc, address: "127.0.0.1:3" },'),
    )
    const { diagnostics } = await loadBeside(text)
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((one) => one.code)).toEqual([code])
  })
})

describe('faults of a route', () => {
  const said = 'to: a, faults: { headers: { x-test: "yes" }, delay: { percent: 10%, for: 200ms }, abort: { percent: 5% } }'

  it('are linked in nonprod', async () => {
    expect((await linked(said))?.faults).toEqual({
      headers: [{ name: 'x-test', exact: 'yes' }],
      delay: { share: 0.1, ms: 200 },
      abort: { share: 0.05, status: { http: 503, grpc: 14 } },
    })
    expect((await linked('to: a, faults: { abort: { percent: 5%, status: 429, grpcStatus: 8 } }'))?.faults).toMatchObject({
      delay: undefined,
      abort: { status: { http: 429, grpc: 8 } },
    })
  })

  it('break the route in prod, unless nothing would be injected', async () => {
    const prod = await loadBeside(route(said), { environment: 'prod' })
    expect(prod.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(['faults_in_prod'])
    expect(prod.policy?.routes[0]?.quarantined).toContain('class prod')
    const none = await loadBeside(route('to: a, faults: { delay: { percent: 0%, for: 1s }, abort: { percent: 0% } }'), { environment: 'prod' })
    expect(none.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(none.policy?.routes[0]).not.toHaveProperty('faults')
  })

  it('may have another share in the overlay of one environment', async () => {
    const overlay = 'sallyport: v1\nroutes: { r: { faults: { abort: { percent: 50%, status: 500 } } } }'
    const { policy, diagnostics } = await loadBeside(route('to: a, faults: { abort: { percent: 0% } }'), { files: { 'environments/dev.yaml': overlay } })
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(policy?.routes[0]?.faults?.abort).toEqual({ share: 0.5, status: { http: 500, grpc: 14 } })
  })

  it.each([
    ['{}', 'error'],
    ['{ headers: { x-test: "1" } }', 'warning no_effect'],
    ['{ abort: { percent: 1%, status: 200 } }', 'error value_out_of_range'],
    ['{ delay: { percent: 1% } }', 'error key_missing'],
  ])('that say %s are noticed', async (faults, found) => {
    const { diagnostics } = await loadBeside(route(`to: a, faults: ${faults}`))
    expect(diagnostics.map(({ severity, code }) => `${severity} ${code}`)[0]).toContain(found)
  })
})

describe('the mirror of a route', () => {
  it('is linked with what it says and what it does not', async () => {
    expect((await linked('to: a, mirror: { cluster: b, diff: {} }'))?.mirror).toEqual({
      cluster: 'b',
      subset: undefined,
      share: 1,
      methods: ['GET', 'HEAD'],
      rpcs: [],
      requests: 32,
      diff: { share: 0.1, headers: ['content-type'], ignore: [], mask: [] },
    })
    const said =
      'to: b, mirror: { cluster: a, subset: v2, percent: 5%, methods: [PUT], requests: 4, diff: { percent: 1%, headers: [etag], ignore: [/a/*/b], mask: [/c] } }'
    expect((await linked(said))?.mirror).toEqual({
      cluster: 'a',
      subset: 'v2',
      share: 0.05,
      methods: ['PUT'],
      rpcs: [],
      requests: 4,
      diff: { share: 0.01, headers: ['etag'], ignore: ['/a/*/b'], mask: ['/c'] },
    })
    expect((await linked('to: a, mirror: { cluster: b }'))?.mirror?.diff).toBeUndefined()
  })

  it.each([
    ['to: a, mirror: { cluster: gone }', 'error name_unknown'],
    ['to: a, mirror: { cluster: b, subset: v1 }', 'error name_unknown'],
    ['to: a, mirror: { cluster: b, diff: { ignore: [a.b] } }', 'error value_invalid'],
    ['to: a, mirror: { cluster: b, rpcs: [Get] }', 'warning no_effect'],
    ['to: a, mirror: b', 'error type_wrong'],
  ])('%s is noticed', async (more, found) => {
    const { diagnostics } = await loadBeside(route(more))
    expect(diagnostics.map(({ severity, code }) => `${severity} ${code}`)).toContain(found)
  })

  it('must speak what the route does, and name RPCs that there are', async () => {
    const grpc = (more: string) =>
      `clusters: { h: { address: "127.0.0.1:1" }, g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb, subsets: { v2: { authority: v2 } } } }\nroutes: { r: { match: { grpc: shop.v1.Orders }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: g, ${more} }, o: { match: { path: / }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: h } }\n`
    const found = async (more: string) => (await loadBeside(grpc(more))).diagnostics.map(({ severity, code }) => `${severity} ${code}`)
    expect(await found('mirror: { cluster: g, subset: v2, rpcs: [CancelOrder] }')).toEqual([])
    expect(await found('mirror: { cluster: g, subset: v2, rpcs: [CancelOrdr] }')).toEqual(['error rpc_unknown'])
    expect(await found('mirror: { cluster: g, subset: v2, methods: [GET] }')).toEqual(['warning no_effect'])
    expect(await found('mirror: { cluster: h }')).toEqual(['error protocol_differs'])
  })
})
