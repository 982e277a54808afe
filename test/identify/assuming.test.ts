import { expect, it } from 'vitest'
import { buildIdentifyAssuming } from '../../src/core/ingress/identify.ts'
import type { Requirement } from '../../src/core/policy/policy.ts'
import { access, accessPolicy, matched } from '../support/access.ts'
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
