import { describe, expect, it } from 'vitest'
import { almostLinear, growthByFour } from '../support/growth.ts'
import { brief, clean, loadBeside } from '../support/load.ts'

const many = (count: number, route: (i: number) => string) => Array.from({ length: count }, (_, i) => route(i)).join('\n')
const around = `
issuers: { main: { issuer: "https://idp.example.com", audiences: [a] } }
clusters: { a: { address: "127.0.0.1:1", subsets: { x: { authority: x.a }, y: { authority: y.a } } } }
limits: { l: { rate: 10/1m, key: [subject] } }
access:
  p:
    rules:
      - { id: read, allow: { methods: [GET], scopes: [read] } }
      - { id: own, deny: { paths: ["/r7/{id}"] }, when: claims.tenant != request.params.id }
`

describe('thousands of routes load in linear time', () => {
  const size = 500

  it('when each has a path of its own', { timeout: 120_000 }, async () => {
    const route = (i: number) =>
      `  r${i}: { match: { hosts: [api.example.com], path: "/r${i}/{id}", methods: [GET] }, access: p, limits: [l], timeout: 2s, to: [{ cluster: a, subset: x, weight: 90 }, { cluster: a, subset: y, weight: 10 }] }`
    const load = async (count: number) => expect(clean(await loadBeside(`${around}routes:\n${many(count, route)}\n`)).routes.length).toBe(count)
    expect(await growthByFour(load, size)).toBeLessThan(almostLinear)
  })

  it('when all share a path and differ in one header', { timeout: 120_000 }, async () => {
    const route = (i: number) => `  r${i}: { match: { path: "/r7/{id}", headers: { x-tenant: t${i} } }, access: p, limits: [l], to: a }`
    const load = async (count: number) => expect(clean(await loadBeside(`${around}routes:\n${many(count, route)}\n`)).routes.length).toBe(count)
    expect(await growthByFour(load, size)).toBeLessThan(almostLinear)
  })

  it('when every one of them has a mistake', { timeout: 120_000 }, async () => {
    const route = (i: number) => `  r${i}: { match: { path: "/r${i}" }, access: q${i}, limits: [l], timeot: 2s, to: b${i} }`
    const load = async (count: number) => {
      const { diagnostics } = await loadBeside(`${around}routes:\n${many(count, route)}\n`)
      expect(brief(diagnostics).filter((line) => line.startsWith('error')).length).toBe(3 * count)
    }
    expect(await growthByFour(load, size)).toBeLessThan(almostLinear)
  })
})
