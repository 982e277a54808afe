import { describe, expect, it } from 'vitest'
import { clean, loadBeside } from '../support/load.ts'

const route = (rest: string) => `routes:\n  h: { access: { rules: [{ id: all, allow: { anonymous: true } }] }, ${rest} }\n`
const codes = async (rest: string, more = '') => (await loadBeside(`${more}${route(rest)}`)).diagnostics.map(({ code, line }) => `${code} ${line}`)
const matched = 'match: { grpc: grpc.health.v1.Health }'

describe('a route that the gateway answers itself', () => {
  it('has the RPCs of the health service, its own descriptors, and no cluster', async () => {
    const policy = clean(await loadBeside(route(`${matched}, answer: health`)))
    expect(policy.routes[0]).toMatchObject({ answer: 'health', quarantined: undefined })
    expect(policy.routes[0]?.match.grpc?.rpcs.map(({ method, serverStream }) => [method, serverStream])).toEqual([
      ['Check', false],
      ['List', false],
      ['Watch', true],
    ])
    expect(Object.keys(policy.descriptors)).toEqual(['/grpc.health.v1'])
  })

  it('is for that service alone, and excludes what needs a cluster', async () => {
    expect(await codes('match: { grpc: shop.v1.Orders }, answer: health')).toEqual(['answer_service 3'])
    expect(await codes('match: { path: /healthz }, answer: health')).toEqual(['answer_service 3'])
    expect(await codes(`${matched}, answer: health, retry: {}`)).toEqual(['no_effect 3'])
    expect(await codes(`${matched}, answer: health, hedge: {}`)).toEqual(['no_effect 3'])
    expect(await codes(`${matched}, answer: health, sticky: client`)).toEqual(expect.arrayContaining(['no_effect 3']))
    expect(await codes(`${matched}, answer: health, to: c`, 'clusters: { c: { protocol: grpc, address: "127.0.0.1:1" } }\n')).toEqual(
      expect.arrayContaining(['answer_and_to 4']),
    )
    expect(await codes(`${matched}, answer: ready`)).toEqual(expect.arrayContaining(['value_invalid 3']))
  })

  it('needs one of the two', async () => {
    const { diagnostics } = await loadBeside(route(matched))
    expect(diagnostics.map(({ code, message }) => [code, message])).toEqual([['key_missing', '"to" is missing.']])
  })
})
