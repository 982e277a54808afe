import { describe, expect, it } from 'vitest'
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
// Several times what this takes alone on one core; anything quadratic takes minutes.
const bound = 14_000

describe('5,000 routes load in a few seconds', () => {
  it('when each has a path of its own', { timeout: 60_000 }, async () => {
    const routes = many(
      5000,
      (i) =>
        `  r${i}: { match: { hosts: [api.example.com], path: "/r${i}/{id}", methods: [GET] }, access: p, limits: [l], timeout: 2s, to: [{ cluster: a, subset: x, weight: 90 }, { cluster: a, subset: y, weight: 10 }] }`,
    )
    const before = performance.now()
    expect(clean(await loadBeside(`${around}routes:\n${routes}\n`)).routes.length).toBe(5000)
    expect(performance.now() - before).toBeLessThan(bound)
  })

  it('when all share a path and differ in one header', { timeout: 60_000 }, async () => {
    const routes = many(5000, (i) => `  r${i}: { match: { path: "/r7/{id}", headers: { x-tenant: t${i} } }, access: p, limits: [l], to: a }`)
    const before = performance.now()
    expect(clean(await loadBeside(`${around}routes:\n${routes}\n`)).routes.length).toBe(5000)
    expect(performance.now() - before).toBeLessThan(bound)
  })

  it('when every one of them has a mistake', { timeout: 60_000 }, async () => {
    const routes = many(5000, (i) => `  r${i}: { match: { path: "/r${i}" }, access: q${i}, limits: [l], timeot: 2s, to: b${i} }`)
    const before = performance.now()
    const { diagnostics } = await loadBeside(`${around}routes:\n${routes}\n`)
    expect(brief(diagnostics).filter((line) => line.startsWith('error')).length).toBe(15_000)
    expect(performance.now() - before).toBeLessThan(bound)
  })
})
