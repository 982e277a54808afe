import { describe, expect, it } from 'vitest'
import { securitySchemes } from '../../src/core/openapi/security.ts'
import { access, accessPolicy } from '../support/access.ts'
import { issuerDouble } from '../support/issuer.ts'

describe('the scheme of an issuer', () => {
  it.each([
    ['none', 'bearer', 'A token of https://idp.example.com, for https://api.example.com, in the Authorization header.'],
    ['dpop', 'dpop', 'A token of https://idp.example.com, for https://api.example.com, bound to a key (DPoP, RFC 9449), in the Authorization header.'],
  ] as const)('says what its tokens must be bound to: %s', async (required, scheme, description) => {
    const idp = await issuerDouble(() => 0)
    const config = idp.config({ jwks: idp.jwksUrl, proof: { required, maxAgeMs: 60_000, nonceKey: undefined } })
    const policy = accessPolicy([access('p', [])], [config])
    expect(securitySchemes(policy, new Set(['main']))).toMatchObject({ main: { type: 'http', scheme, description } })
    const asked = accessPolicy([access('p', [], { kind: 'introspection', name: 'main' })], [config])
    expect(securitySchemes(asked, new Set(['main']))).toEqual({ main: { type: 'http', scheme, description } })
  })
})
