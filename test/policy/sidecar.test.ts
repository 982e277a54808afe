import { describe, expect, it } from 'vitest'
import { loadBeside } from '../support/load.ts'

/** Code and severity of what is said of the one cluster, in order; what is said of a cluster that nobody uses is left out. */
async function said(cluster: string): Promise<readonly string[]> {
  const { diagnostics } = await loadBeside(`clusters: { c: { ${cluster} } }
routes: { r: { match: { path: / }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: c } }`)
  return diagnostics.filter(({ object }) => object === 'clusters.c').map(({ severity, code }) => `${severity} ${code}`)
}

const service = 'address: "orders.shop.svc.cluster.local:8080", authority: orders.shop.svc.cluster.local'

describe('sidecar: istio', () => {
  it.each([
    ['the Service', service, []],
    ['the Service by DNS', 'endpoints: { dns: orders.shop.svc.cluster.local, port: 8080 }, authority: orders.shop', []],
    ['a pod', 'address: "10.1.2.3:8080", authority: orders.shop', ['error sidecar_target']],
    ['a pod by IPv6', 'address: "[fd00::1]:8080", authority: orders.shop', ['error sidecar_target']],
    ['pods, one of them by name', 'endpoints: { static: ["a.pod:1", "10.1.2.3:8080"] }, authority: orders.shop', ['error sidecar_target']],
    ['loopback', 'address: "127.0.0.1:15001", authority: orders.shop', ['warning sidecar_bypassed']],
    ['a socket', 'address: "unix:/run/orders.sock", authority: orders.shop', ['warning sidecar_bypassed']],
    ['a pod in a subset', `${service}, subsets: { v2: { address: "10.1.2.3:8080" } }`, ['error sidecar_target']],
    ['no authority', 'address: "orders.shop:8080"', ['warning authority_missing']],
    ['TLS', `${service}, tls: {}`, ['warning sidecar_tls']],
  ])('of %s', async (_, cluster, expected) => {
    expect(await said(`sidecar: istio, ${cluster}`)).toEqual(expected)
  })
})

describe('sidecar: consul', () => {
  it.each([
    ['the local bind port', 'address: "127.0.0.1:9191"', []],
    ['a socket', 'address: "unix:/run/consul/orders.sock"', []],
    ['several of them', 'endpoints: { static: ["127.0.0.1:9191", "[::1]:9191", "localhost:9192"] }', []],
    ['another machine', 'address: "10.1.2.3:8080"', ['warning sidecar_bypassed']],
    ['a name', 'endpoints: { dns: orders.service.consul, port: 8080 }', ['warning sidecar_bypassed']],
    ['a subset by authority alone', 'address: "127.0.0.1:9191", subsets: { v2: { authority: orders-v2.shop } }', ['warning sidecar_authority']],
    ['a subset with a port of its own', 'address: "127.0.0.1:9191", subsets: { v2: { authority: orders-v2.shop, address: "127.0.0.1:9192" } }', []],
    ['TLS', 'address: "127.0.0.1:9191", tls: {}', ['warning sidecar_tls']],
  ])('of %s', async (_, cluster, expected) => {
    expect(await said(`sidecar: consul, ${cluster}`)).toEqual(expected)
  })
})

describe('tls.spiffe', () => {
  it.each([
    ['one id', 'tls: { ca: "file:/ca", spiffe: "spiffe://corp/ns/shop/sa/orders" }', []],
    ['several patterns', 'tls: { ca: "file:/ca", spiffe: ["spiffe://corp/ns/shop/*", "spiffe://corp/ns/web/sa/web"] }', []],
    ['no bundle', 'tls: { spiffe: "spiffe://corp/ns/shop/sa/orders" }', ['error tls_spiffe_ca']],
    ['something that is no id', 'tls: { ca: "file:/ca", spiffe: "https://corp/orders" }', ['error value_invalid']],
  ])('of %s', async (_, tls, expected) => {
    const found = await said(`address: "10.1.2.3:8443", ${tls}`)
    expect(found.map((each) => each.split(' ')[0])).toEqual(expected.map((each) => each.split(' ')[0]))
  })
})
