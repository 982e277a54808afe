import { describe, expect, it } from 'vitest'
import { buildIdentifyAssuming } from '../../src/core/ingress/identify.ts'
import type { Requirement } from '../../src/core/policy/linked/access.ts'
import { access, accessPolicy, matched } from '../support/access.ts'
import { apiKeySet } from '../support/api-keys.ts'
import { issuerDouble } from '../support/issuer.ts'

async function room(tree: Requirement) {
  const idp = await issuerDouble(() => 0)
  const assume = buildIdentifyAssuming(accessPolicy([access('orders', [], tree)], [idp.config(), { ...idp.config(), name: 'other' }]), { now: () => 0 })
  return (token: Parameters<typeof assume>[1]) => assume(matched(['orders']), token).principal
}

const main: Requirement = { kind: 'jwt', name: 'main' }

it('an assumed token becomes the principal that a verified one would be', async () => {
  const principal = (await room(main))({ issuer: 'main', claims: { sub: 'u1', scope: 'a b', azp: 'c1', org: { id: 1 } } })
  expect(principal).toMatchObject({ kind: 'subject', issuer: 'main', subject: 'u1', clientId: 'c1', claims: { org: { id: 1 } } })
  expect(principal.kind === 'subject' && [...principal.scopes]).toEqual(['a', 'b'])
})

it('an assumed token stands for what its issuer would have answered, where that is asked', async () => {
  const idp = await issuerDouble(() => 0)
  const introspection = {
    url: undefined,
    clientId: 'g',
    auth: 'client_secret_basic',
    credential: 'env:S',
    cacheMs: 0,
    timeoutMs: 0,
    audience: 'required',
    clientAsSubject: true,
  } as const
  const tree: Requirement = { kind: 'introspection', name: 'main' }
  const assume = buildIdentifyAssuming(accessPolicy([access('orders', [], tree)], [idp.config({ introspection })]), { now: () => 0 })
  expect(assume(matched(['orders']), { issuer: 'main', claims: { client_id: 'web' } }).principal).toMatchObject({ by: 'introspection', subject: 'web' })
})

it('the requirement tree holds for assumed tokens too', async () => {
  const required = await room(main)
  expect(() => required(undefined)).toThrow('a bearer token is required')
  expect(() => required({ issuer: 'other', claims: { sub: 'u1' } })).toThrow('not valid')
  expect(() => required({ issuer: 'nobody', claims: { sub: 'u1' } })).toThrow('not valid')
  expect(() => required({ issuer: 'main', claims: { sub: 7 } })).toThrow('not valid')
  expect((await room({ kind: 'optional', of: main }))(undefined)).toEqual({ kind: 'anonymous' })
  expect((await room({ kind: 'none' }))({ issuer: 'main', claims: { sub: 'u1' } })).toEqual({ kind: 'anonymous' })
})

describe('an assumed API key', () => {
  const assume = (tree: Requirement) =>
    buildIdentifyAssuming(
      {
        ...accessPolicy([access('orders', [], tree)]),
        apiKeys: { partners: apiKeySet('partners', { scopes: ['a'] }), tools: apiKeySet('tools') },
      },
      { now: () => 0 },
    )
  const partners: Requirement = { kind: 'apiKey', name: 'partners' }
  const ask = (tree: Requirement, token: Parameters<ReturnType<typeof buildIdentifyAssuming>>[1]) => assume(tree)(matched(['orders']), token).principal

  it('becomes the principal that a real one would be', () => {
    const principal = ask(partners, { apiKey: 'partners', owner: 'acme', clientId: 'erp', scopes: ['a', 'b'], claims: { tenant: 'red' } })
    expect(principal).toMatchObject({ by: 'apiKey', issuer: 'partners', subject: 'acme', clientId: 'erp', claims: { sub: 'acme', scope: 'a', tenant: 'red' } })
    expect(principal.kind === 'subject' && [...principal.scopes]).toEqual(['a'])
  })

  it('meets the requirement tree as a real one would', () => {
    expect(() => ask(partners, undefined)).toThrow('an API key is required')
    expect(() => ask(partners, { apiKey: 'tools', owner: 'acme' })).toThrow('the API key is not valid')
    expect(() => ask(partners, { apiKey: 'nobody', owner: 'acme' })).toThrow('the API key is not valid')
    expect(() => ask(partners, { issuer: 'partners', claims: { sub: 'acme' } })).toThrow('the access token is not valid')
    expect(() => ask({ kind: 'jwt', name: 'partners' }, { apiKey: 'partners', owner: 'acme' })).toThrow('the API key is not valid')
    expect(ask({ kind: 'optional', of: partners }, undefined)).toEqual({ kind: 'anonymous' })
  })
})
