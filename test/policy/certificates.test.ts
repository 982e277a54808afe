import { describe, expect, it } from 'vitest'
import { loadBeside } from '../support/load.ts'

const errors = async (text: string) => (await loadBeside(text)).diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)

const main = 'issuers: { main: { issuer: "https://idp.example.com", audiences: [a], introspection: { clientId: g, key: "env:K" } } }\n'
const around = (certificates: string, authenticate = '{ mtls: mesh }', allow = '{ scopes: [a] }') => `${main}certificates: { mesh: ${certificates} }
clusters: { a: { address: "127.0.0.1:1" } }
access: { p: { authenticate: ${authenticate}, rules: [{ id: one, allow: ${allow} }] } }
routes: { r: { match: { path: /t }, access: p, to: a } }
`

describe('a mapping of certificates', () => {
  it('is linked with what it is silent about', async () => {
    const { policy } = await loadBeside(around('{ spiffe: { trustDomain: shop.test } }'))
    expect(policy?.certificates['mesh']).toEqual({ name: 'mesh', quarantined: undefined, subject: 'spiffe', trustDomain: 'shop.test', names: [], scopes: [] })
    expect(policy?.access['p']?.authenticate).toEqual({ kind: 'mtls', name: 'mesh' })
    const other = await loadBeside(around('{ subject: common-name, names: ["a.*"], scopes: ["orders:read"] }'))
    expect(other.policy?.certificates['mesh']).toMatchObject({ subject: 'common-name', trustDomain: undefined, names: ['a.*'], scopes: ['orders:read'] })
  })

  it.each([
    ['{}', 'certificate_shape'],
    ['{ subject: uri-san, spiffe: { trustDomain: a } }', 'certificate_shape'],
    ['{ subject: dn }', 'value_invalid'],
    ['{ spiffe: { trustDomain: Shop.Test } }', 'value_invalid'],
    ['{ spiffe: {} }', 'key_missing'],
    ['{ subject: uri-san, names: ["(?=a)"] }', 'value_invalid'],
    ['{ subject: uri-san, scopes: ["a b"] }', 'value_invalid'],
  ])('that says %s is refused, and its routes with it', async (said, code) => {
    const text = around(said)
    expect(await errors(text)).toEqual([code])
    const { policy } = await loadBeside(text)
    expect([policy?.certificates['mesh']?.quarantined, policy?.routes[0]?.quarantined]).not.toContain(undefined)
  })

  it('has no name that an issuer has', async () => {
    expect(await errors(around('{ subject: uri-san }').replace(/mesh/g, 'main'))).toEqual(['name_taken'])
    expect(await errors(`${around('{ subject: uri-san }')}apiKeys: { mesh: { store: file:/keys } }\n`)).toEqual(['name_taken'])
  })

  it('that no connection can be known by is pointed at', async () => {
    const { diagnostics } = await loadBeside(`listeners: { public: { address: "127.0.0.1:1" } }\n${around('{ subject: uri-san }')}`)
    expect(diagnostics.map(({ code }) => code)).toContain('client_auth_missing')
    const tls = 'tls: { certificate: env:A, key: env:B, clientAuth: optional, clientCa: env:C }'
    const asked = await loadBeside(`listeners: { public: { address: "127.0.0.1:1", ${tls} } }\n${around('{ subject: uri-san }')}`)
    expect(asked.diagnostics.map(({ code }) => code)).not.toContain('client_auth_missing')
  })
})

describe('introspection', () => {
  it('is linked with what it is silent about', async () => {
    const { policy } = await loadBeside(around('{ subject: uri-san }', '{ anyOf: [{ introspection: main }, { mtls: mesh }] }'))
    expect(policy?.issuers['main']?.introspection).toEqual({
      url: undefined,
      clientId: 'g',
      auth: 'private_key_jwt',
      credential: 'env:K',
      cacheMs: 30_000,
      timeoutMs: 3000,
      audience: 'required',
      clientAsSubject: false,
    })
    expect(policy?.access['p']?.authenticate).toEqual({
      kind: 'anyOf',
      of: [
        { kind: 'introspection', name: 'main' },
        { kind: 'mtls', name: 'mesh' },
      ],
    })
  })
})

describe('the matcher tls', () => {
  const allowing = (said: string) => around('{ subject: uri-san }', '{ mtls: mesh }', `{ tls: ${said} }`)

  it('is linked in full', async () => {
    const { policy } = await loadBeside(allowing('{ spiffe: ["spiffe://a/b/*"], dns: ["*.a.test"], uri: ["urn:.*"] }'))
    expect(policy?.access['p']?.rules[0]?.matcher.tls).toEqual({ spiffe: ['spiffe://a/b/*'], dns: ['*.a.test'], uri: ['urn:.*'] })
  })

  it.each(['{ spiffe: ["spiffe://A/b"] }', '{ spiffe: ["spiffe://a/x*/b"] }', '{ dns: ["A.test"] }', '{ uri: ["("] }'])('%s is refused', async (said) => {
    expect(await errors(allowing(said))).toEqual(['value_invalid'])
  })

  it('that tests nothing is refused', async () => {
    expect(await errors(allowing('{}'))).toHaveLength(1)
  })
})

describe('several credentials at once', () => {
  it.each([
    ['{ allOf: [{ jwt: main }, { mtls: mesh }] }', []],
    ['{ allOf: [{ jwt: main }, { introspection: main }] }', ['requirement_never']],
    ['{ anyOf: [{ jwt: main }, { introspection: main }] }', []],
    ['{ optional: { allOf: [{ mtls: mesh }, { jwt: main }, { mtls: edge }] } }', ['requirement_never']],
  ])('as %s are warned of where no request can bring them', async (authenticate, expected) => {
    const text = around('{ subject: uri-san }, edge: { subject: dns-san }', authenticate)
    const codes = (await loadBeside(text)).diagnostics.map(({ code }) => code)
    expect(codes.filter((code) => code === 'requirement_never')).toEqual(expected)
  })
})

it('a policy on trial asks nobody', async () => {
  const text = `${main}clusters: { a: { address: "127.0.0.1:1" } }
deciders: { d: { opa: { url: https://opa.example.com, path: a }, send: [method] } }
access:
  p: { rules: [{ id: one, allow: { anonymous: true } }] }
  q: { mode: audit, ask: d, rules: [{ id: two, allow: { anonymous: true } }] }
routes: { r: { match: { path: /t }, access: [p, q], to: a } }
`
  expect(await errors(text)).toEqual(['audit_asks'])
})
