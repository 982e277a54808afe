import { describe, expect, it } from 'vitest'
import { buildIdentify } from '../../src/core/ingress/identify.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Requirement } from '../../src/core/policy/linked/access.ts'
import type { CertificateMapping } from '../../src/core/policy/linked/certificates.ts'
import { type WrittenCertificate, writeCertificate } from '../../src/node/written-certificate.ts'
import { access, accessPolicy, matched } from '../support/access.ts'
import { issuerDouble } from '../support/issuer.ts'
import { fakeFetch, fakePorts } from '../support/ports.ts'

const mesh: CertificateMapping = { name: 'mesh', quarantined: undefined, subject: 'spiffe', trustDomain: 'shop.test', names: [], scopes: ['orders:read'] }
const leaf: Requirement = { kind: 'mtls', name: 'mesh' }

async function house(mappings: readonly Partial<CertificateMapping>[] = [{}], tree: Requirement = leaf) {
  const ports = fakePorts()
  const idp = await issuerDouble(() => ports.clock.now())
  const all = mappings.map((mapping) => ({ ...mesh, ...mapping }))
  const fetch = fakeFetch({ [idp.jwksUrl]: () => ({ text: idp.jwks() }), [idp.metadataUrl]: () => ({ text: idp.metadata() }) })
  const policy = { ...accessPolicy([access('orders', [], tree)], [idp.config()]), certificates: Object.fromEntries(all.map((one) => [one.name, one])) }
  const identify = buildIdentify(policy, { ...ports, fetch })
  const ask = async (names: Partial<WrittenCertificate> | undefined, token?: string) => {
    const x = matched(['orders'], { headers: token === undefined ? [] : [['authorization', `Bearer ${token}`]] })
    const certificate = names === undefined ? undefined : writeCertificate({ uri: [], dns: [], email: [], commonName: undefined, ...names })
    return (await identify(Object.assign(x, { client: { ...x.client, certificate } }))).principal
  }
  return { ask, idp, ports }
}

async function refusal(asked: Promise<unknown>): Promise<Fault> {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Fault)) throw new Error('it was not refused')
  return error
}

const id = 'spiffe://shop.test/ns/shop/sa/web'

describe('a client certificate', () => {
  it('becomes a subject with the scopes of its mapping, and claims', async () => {
    const principal = await (await house()).ask({ uri: [id], dns: ['web.shop.test'] })
    expect(principal).toMatchObject({
      kind: 'subject',
      by: 'mtls',
      issuer: 'mesh',
      subject: id,
      clientId: undefined,
      claims: {
        sub: id,
        san: { uri: [id], dns: ['web.shop.test'], email: [] },
        serial: '01',
        issuer: 'CN=Rehearsal',
        not_after: 253_402_300_799,
        thumbprint: expect.stringMatching(/^[\w-]{43}$/),
      },
    })
    expect(principal.kind === 'subject' && [...principal.scopes]).toEqual(['orders:read'])
  })

  it.each<readonly [Partial<CertificateMapping>, Partial<WrittenCertificate>, string]>([
    [{ subject: 'uri-san' }, { uri: ['urn:web'] }, 'urn:web'],
    [{ subject: 'dns-san' }, { dns: ['web.shop.test'] }, 'web.shop.test'],
    [{ subject: 'email-san' }, { email: ['ops@shop.test'] }, 'ops@shop.test'],
    [{ subject: 'common-name' }, { commonName: 'web' }, 'web'],
    [{ subject: 'dns-san', names: ['.*\\.shop\\.test'] }, { dns: ['evil.test', 'web.shop.test'] }, 'web.shop.test'],
    [{ names: ['spiffe://shop\\.test/ns/shop/.*'] }, { uri: [id] }, id],
  ])('mapped by %j, with %j, is %s', async (mapping, names, subject) => {
    expect(await (await house([mapping])).ask(names)).toMatchObject({ subject })
  })

  it.each<readonly [Partial<CertificateMapping>, Partial<WrittenCertificate>]>([
    [{}, {}],
    [{}, { uri: ['spiffe://evil.test/ns/shop/sa/web'] }],
    [{}, { uri: [id, 'spiffe://shop.test/other'] }],
    [{}, { uri: ['spiffe://shop.test'] }],
    [{}, { uri: [`${id}/`] }],
    [{}, { commonName: id }],
    [{}, { dns: ['shop.test'] }],
    [{ trustDomain: undefined }, { uri: [id] }],
    [{ names: ['spiffe://shop\\.test/ns/other/.*'] }, { uri: [id] }],
    // The whole name must fit.
    [{ subject: 'dns-san', names: ['shop\\.test'] }, { dns: ['shop.test.evil.test'] }],
    [{ subject: 'dns-san' }, { dns: ['a.test', 'b.test'] }],
    [{ subject: 'dns-san' }, { commonName: 'web.shop.test' }],
    [{ subject: 'email-san' }, { dns: ['a.test'] }],
    [{ subject: 'common-name' }, { dns: ['a.test'] }],
    [{ subject: 'common-name' }, { commonName: 'a\u202eb' }],
    [{ subject: 'common-name' }, { commonName: '' }],
    [{ subject: 'dns-san' }, { dns: ['a\0.test'] }],
  ])('that the mapping %j does not know, with %j, is refused and not anonymous', async (mapping, names) => {
    for (const tree of [leaf, { kind: 'optional', of: leaf }] as const) {
      const fault = await refusal((await house([mapping], tree)).ask(names))
      expect([fault.code, fault.status, fault.message]).toEqual(['certificate_invalid', 403, 'the client certificate is not accepted'])
    }
  })

  it('is asked for with 401 where there is none, and may be left out where it is optional', async () => {
    const fault = await refusal((await house()).ask(undefined))
    expect([fault.code, fault.message, fault.detail.headers]).toEqual(['unauthenticated', 'a credential is required', []])
    expect(await (await house([{}], { kind: 'optional', of: leaf })).ask(undefined)).toEqual({ kind: 'anonymous' })
  })

  it('is refused when it has expired since the connection was made', async () => {
    const { ask, ports } = await house()
    ports.clock.step(Date.UTC(9999, 11, 31, 23, 59, 59) - ports.clock.now())
    expect(await ask({ uri: [id] })).toMatchObject({ subject: id })
    ports.clock.step(1)
    expect((await refusal(ask({ uri: [id] }))).detail.internal).toMatch(/not valid at this time/)
  })

  it('is known by the first mapping that knows it', async () => {
    const two = [{ trustDomain: 'other.test' }, { name: 'people', subject: 'email-san' as const, scopes: [] }]
    const tree: Requirement = { kind: 'anyOf', of: [leaf, { kind: 'mtls', name: 'people' }] }
    expect(await (await house(two, tree)).ask({ uri: [id], email: ['ada@shop.test'] })).toMatchObject({ issuer: 'people', subject: 'ada@shop.test' })
  })

  it('is quarantined with its mapping', async () => {
    expect((await refusal((await house([{ quarantined: 'broken' }])).ask({ uri: [id] }))).code).toBe('config_quarantined')
  })
})

describe('beside a token', () => {
  const jwt: Requirement = { kind: 'jwt', name: 'main' }

  it('both are proved where both are asked for, and one is not enough', async () => {
    const { ask, idp } = await house([{}], { kind: 'allOf', of: [jwt, leaf] })
    expect(await ask({ uri: [id] }, await idp.token())).toMatchObject({ by: 'jwt', subject: 'u1', also: [{ by: 'mtls', subject: id }] })
    expect((await refusal(ask(undefined, await idp.token()))).code).toBe('unauthenticated')
    expect((await refusal(ask({ uri: [id] }))).detail.headers).toEqual([['www-authenticate', 'Bearer realm="sallyport"']])
  })

  it('either is enough where one is asked for, and a bad one of either is refused', async () => {
    const { ask, idp } = await house([{}], { kind: 'anyOf', of: [jwt, leaf] })
    expect(await ask({ uri: [id] })).toMatchObject({ by: 'mtls' })
    expect(await ask(undefined, await idp.token())).toMatchObject({ by: 'jwt' })
    expect((await refusal(ask({ uri: ['urn:x'] }, await idp.token()))).code).toBe('certificate_invalid')
    expect((await refusal(ask({ uri: [id] }, 'bad'))).code).toBe('token_invalid')
  })

  it('on a route that reads no certificates one is not looked at', async () => {
    const { ask, idp } = await house([{}], jwt)
    expect(await ask({ uri: ['urn:x'] }, await idp.token())).toMatchObject({ by: 'jwt' })
  })
})
