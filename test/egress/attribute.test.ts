import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ownToken } from '../../src/core/egress/attribute/shown.ts'
import { buildEgress } from '../../src/core/egress.ts'
import type { EgressTarget } from '../../src/core/model/egress-target.ts'
import type { Received } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Caller } from '../../src/core/policy/linked/callers.ts'
import { writeCertificate } from '../../src/node/written-certificate.ts'
import { arrival } from '../support/arrival.ts'
import { fakeClock } from '../support/clock.ts'
import { caller, egressPolicy, fakeVendor, linked, live, oauth2, service, textOf } from '../support/egress.ts'
import { type IssuerDouble, issuerDouble } from '../support/issuer.ts'
import { fakeFetch, fakePorts } from '../support/ports.ts'

const clock = fakeClock()
let idp: IssuerDouble
beforeAll(async () => {
  idp = await issuerDouble(clock.now)
})

const names = ['by-id', 'by-token', 'by-both', 'anybody']
const byId = caller('by-id', { spiffe: ['spiffe://corp/ns/*/sa/checkout'], environment: 'test' })
const byToken = caller('by-token', { token: { issuer: 'main', claims: [{ path: 'sub', kind: 'in', values: ['shop', 'web'] }] } })
const byBoth = caller('by-both', {
  spiffe: ['spiffe://corp/ns/shop/sa/web'],
  token: { issuer: 'main', claims: [{ path: 'roles', kind: 'in', values: ['out'] }] },
})
const anybody = caller('anybody')

const svid = (...uri: readonly string[]) => writeCertificate({ uri, dns: [], email: [], commonName: undefined })
const checkout = svid('spiffe://corp/ns/shop/sa/checkout')

interface Asked {
  readonly callers?: readonly Caller[]
  readonly certificate?: Uint8Array | undefined
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly to?: string
  readonly idp?: 'down'
}

/** One call over the whole wing: who it was taken for, and what the vendor got. */
async function call({ callers = [byId, byToken, byBoth, anybody], certificate, headers = {}, to = 'pay', ...more }: Asked = {}) {
  const fetch = fakeFetch(more.idp === 'down' ? {} : { [idp.metadataUrl]: { text: idp.metadata() }, [idp.jwksUrl]: { text: idp.jwks() } })
  const ports = fakePorts({ clock, fetch })
  const vendor = fakeVendor()
  const credential = oauth2('https://auth.example/token', 'env:SECRET', { subject: 'caller' })
  const policy = {
    ...egressPolicy({
      services: [
        linked(service('pay', { callers: names }), live('dev', 'https://pay.example'), live('test', 'https://pay-test.example')),
        linked(service('swap', { callers: names }), live('dev', 'https://swap.example', { credential }), live('test', 'https://swap.example')),
      ],
      callers,
    }),
    issuers: { main: idp.config(), strict: idp.config({ name: 'strict', proof: { required: 'certificate', maxAgeMs: 60_000, nonceKey: undefined } }) },
  }
  const egress = buildEgress(policy, vendor, ports)
  const options = { listener: 'egress', lifeline: new Lifeline(), receivedAt: clock.ticks(), ...(certificate !== undefined && { certificate }) }
  const answer = await egress(arrival('GET', '/x', { Host: `${to}.egress.internal`, ...headers }, options))
  const text = await textOf(answer.body)
  egress.close()
  const record = ports.journal.records.find(({ kind }) => kind === 'request')
  const problem = answer.headers.get('content-type') === 'application/problem+json' ? (JSON.parse(text) as { code: string }) : undefined
  return { status: answer.status, code: problem?.code, answer, vendor, record, egress: record?.['egress'] as Record<string, unknown> | undefined }
}

const who = async (asked: Asked) => {
  const { status, code, egress } = await call(asked)
  return code === undefined ? egress?.['caller'] : `${status} ${code}`
}
/** What `proxy-authorization` is read as: a token, or why not. */
function readOwn(text: string): string | Error {
  try {
    return ownToken({ keyFields: [['proxy-authorization', text]] } as unknown as Received) ?? '' // the one slot that is read
  } catch (error) {
    return error as Error
  }
}

function isProper(text: string, read: string | Error): boolean {
  if (read instanceof Error) return read instanceof Fault && read.code === 'caller_unknown'
  const spelt = text.endsWith(read) || Buffer.from(text.slice('Basic '.length), 'base64').toString().endsWith(`:${read}`)
  return spelt && /^[A-Za-z0-9\-._~+/]+=*$/.test(read)
}

const own = (token: string) => ({ 'Proxy-Authorization': `Bearer ${token}` })
const plain = (token: string) => ({ Authorization: `Bearer ${token}` })

describe('a caller', () => {
  it('is known by the SPIFFE id of its certificate, and goes where its environment says', async () => {
    const { egress, record, vendor } = await call({ certificate: checkout })
    expect(egress).toMatchObject({ caller: 'by-id', caller_by: ['spiffe'], caller_spiffe: 'spiffe://corp/ns/shop/sa/checkout', environment: 'test' })
    expect(vendor.calls[0]?.authority).toBe('pay-test.example')
    expect(record?.['refusal']).toBeUndefined()
  })

  it('is known by its token, which the vendor never gets, wherever it stood', async () => {
    for (const headers of [own, plain]) {
      const { egress, vendor } = await call({ headers: headers(await idp.token({ sub: 'shop' })) })
      expect(egress).toMatchObject({ caller: 'by-token', caller_by: ['token'], caller_issuer: 'main', caller_subject: 'shop', environment: 'dev' })
      expect(vendor.calls[0]?.headers.entries()).toEqual([])
    }
  })

  it('is known by both where it is known by both, and by neither alone', async () => {
    const headers = own(await idp.token({ roles: ['in', 'out'] }))
    const certificate = svid('spiffe://corp/ns/shop/sa/web')
    expect((await call({ certificate, headers })).egress).toMatchObject({ caller: 'by-both', caller_by: ['spiffe', 'token'] })
    expect(await who({ certificate })).toBe('403 caller_unknown')
    expect(await who({ headers })).toBe('403 caller_unknown')
    expect(await who({ certificate: checkout, headers })).toBe('403 caller_unknown')
  })

  it('is known by its listener when it shows nothing; whoever shows something is not taken for that', async () => {
    expect((await call()).egress).toMatchObject({ caller: 'anybody', caller_by: ['listener'] })
    expect(await who({ certificate: svid('spiffe://corp/ns/shop/sa/other') })).toBe('403 caller_unknown')
    expect(await who({ headers: own(await idp.token({ sub: 'other' })) })).toBe('403 caller_unknown')
  })

  it('is nobody without a certificate or token where callers are known by these alone', async () => {
    const { status, code, record, vendor } = await call({ callers: [byId, byToken] })
    expect([status, code, vendor.calls]).toEqual([403, 'caller_unknown', []])
    expect(record?.['refusal']).toMatchObject({ code: 'caller_unknown', reason: 'listener egress' })
  })

  it('that two are at once is neither', async () => {
    const also = caller('also', { token: { issuer: 'main', claims: [{ path: 'roles', kind: 'present' }] } })
    const { code, record } = await call({ callers: [byToken, also], headers: own(await idp.token({ sub: 'shop', roles: ['x'] })) })
    expect(code).toBe('caller_unknown')
    expect(record?.['refusal']).toMatchObject({ reason: 'also, by-token' })
  })

  it('shows its credentials in vain where no caller of the listener is known by any', async () => {
    expect(await who({ callers: [anybody], certificate: checkout, headers: own('rubbish') })).toBe('anybody')
    expect(await who({ callers: [anybody, { ...byToken, listener: 'egress:swap' }], headers: own('rubbish') })).toBe('anybody')
  })
})

describe('a certificate', () => {
  it.each([
    ['without a URI', svid()],
    ['with two', svid('spiffe://corp/ns/shop/sa/checkout', 'spiffe://corp/ns/shop/sa/other')],
    ['with a URI that is no SPIFFE id', svid('https://corp/ns/shop/sa/checkout')],
    ['of a whole trust domain', svid('spiffe://corp')],
    ['of another trust domain', svid('spiffe://evil/ns/shop/sa/checkout')],
    ['of an id with one segment more', svid('spiffe://corp/ns/a/b/sa/checkout')],
    ['that cannot be read', Uint8Array.of(1, 2, 3)],
  ])('%s is refused, and nobody is taken for somebody without one', async (_, certificate) => {
    expect(await who({ certificate })).toBe('403 caller_unknown')
  })

  it('that is over by now is refused on the connection that it opened', async () => {
    const from = new Date('9999-12-31T23:59:59Z').getTime()
    const late = fakeClock(from + 1000)
    const ports = fakePorts({ clock: late })
    const egress = buildEgress(
      egressPolicy({ services: [linked(service('pay', { callers: names }), live('dev', 'https://pay.example'))], callers: [byId, anybody] }),
      fakeVendor(),
      ports,
    )
    const answer = await egress(arrival('GET', '/', { Host: 'pay.egress.internal' }, { listener: 'egress', certificate: checkout, receivedAt: late.ticks() }))
    expect([answer.status, await textOf(answer.body)]).toEqual([403, expect.stringContaining('caller_unknown')])
    expect(ports.journal.records[0]?.['refusal']).toMatchObject({ reason: 'it is not valid at this time' })
  })
})

describe('a token', () => {
  it.each<[string, () => Promise<string>]>([
    ['for another audience', () => idp.token({ sub: 'shop', aud: 'https://elsewhere' })],
    ['that is over', () => idp.token({ sub: 'shop', iat: 1, exp: 2 })],
    ['of another issuer', () => idp.token({ sub: 'shop', iss: 'https://evil.example' })],
    ['that nobody signed', async () => (await idp.token({ sub: 'shop' })).replace(/[^.]+$/, 'AAAA')],
    ['that is bound to a certificate which this connection does not have', () => idp.token({ sub: 'shop', cnf: { 'x5t#S256': 'A'.repeat(43) } })],
    ['that is bound to a key', () => idp.token({ sub: 'shop', cnf: { jkt: 'A'.repeat(43) } })],
    ['that is none', async () => 'rubbish'],
  ])('%s is refused, in either place, and its sender is not anybody', async (_, make) => {
    const token = await make()
    const { status, code, record } = await call({ headers: own(token) })
    expect([status, code]).toEqual([403, 'caller_unknown'])
    expect(JSON.stringify(record)).not.toContain(token)
    expect(await who({ headers: plain(token) })).toBe('403 caller_unknown')
  })

  it('cannot be told good from bad while there are no keys: 503, and nobody gets through', async () => {
    expect(await who({ headers: own(await idp.token({ sub: 'shop' })), idp: 'down' })).toBe('503 idp_unavailable')
  })

  it('may be the password of a proxy user, for tools that know no other way', async () => {
    const basic = (text: string) => ({ 'Proxy-Authorization': `Basic ${Buffer.from(text).toString('base64')}` })
    expect(await who({ headers: basic(`token:${await idp.token({ sub: 'shop' })}`) })).toBe('by-token')
    for (const text of ['token', 'token:', 'token:a b', ':']) expect(await who({ headers: basic(text) })).toBe('403 caller_unknown')
  })

  it.each([
    { 'Proxy-Authorization': 'Negotiate abc' },
    { 'Proxy-Authorization': 'Bearer' },
    { 'Proxy-Authorization': '' },
    { 'Proxy-Authorization': 'Basic !' },
    { Authorization: 'Bearer a b' },
  ])('%j holds none and is refused', async (headers) => {
    expect(await who({ headers })).toBe('403 caller_unknown')
  })

  it('is read from no other text than one of its form, whatever stands there', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('B', 'e', 'a', 'r', ' ', 'x', '=', '.', ',', ':'), maxLength: 12 }).map((tail) => `Bearer ${tail}`),
      fc.string().map((text) => `Basic ${Buffer.from(text).toString('base64')}`),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(isProper(text, readOwn(text))).toBe(true)
      }),
    )
  })

  it('that is said twice is refused before anybody reads one', async () => {
    for (const name of ['Authorization', 'Proxy-Authorization'])
      expect(await who({ headers: { [name]: ['Bearer a', 'Bearer a'] } })).toBe('400 credential_invalid')
  })

  it('in authorization is the vendor’s, and not read, where something else says who calls, or it is of another scheme', async () => {
    const token = await idp.token({ sub: 'shop' })
    expect(await who({ certificate: checkout, headers: plain('sk_test_dummy') })).toBe('by-id')
    expect(await who({ headers: { ...own(token), ...plain('sk_test_dummy') } })).toBe('by-token')
    expect(await who({ headers: { Authorization: 'AWS4-HMAC-SHA256 Credential=x' } })).toBe('anybody')
  })

  it('in authorization is the one to exchange at a service that exchanges it, and says nothing about the caller', async () => {
    const token = await idp.token({ sub: 'a-person', aud: 'https://elsewhere' })
    const headers = { ...own(await idp.token({ sub: 'shop' })), ...plain(token) }
    const { egress, code } = await call({ to: 'swap', headers })
    // The exchange itself has no endpoint here: who calls was settled before.
    expect([egress?.['caller'], code]).toEqual(['by-token', 'credential_unavailable'])
    expect(await who({ to: 'swap', callers: [byToken], headers: plain(await idp.token({ sub: 'shop' })) })).toBe('403 caller_unknown')
  })

  it('in authorization is the vendor’s at the forward proxy too, and goes there', async () => {
    const place: EgressTarget = { mode: 'proxy', environment: 'dev', hosts: ['deb.example'], ports: [80], allowAddresses: [], sharesAddressWithProd: false }
    const policy = {
      ...egressPolicy({
        services: [linked(service('deb', { host: undefined, callers: ['by-token'], proxy: { tunnels: undefined, clientHelloMs: 0 } }), place)],
        callers: [byToken],
        listeners: { egress: { address: { host: '127.0.0.1', port: 9100 }, proxy: true } },
      }),
      issuers: { main: idp.config() },
    }
    const token = await idp.token({ sub: 'shop' })
    const asked = async (headers: Readonly<Record<string, string>>) => {
      const fetch = fakeFetch({ [idp.metadataUrl]: { text: idp.metadata() }, [idp.jwksUrl]: { text: idp.jwks() } })
      const vendor = fakeVendor()
      const egress = buildEgress(policy, vendor, fakePorts({ clock, fetch }))
      const options = { listener: 'egress', scheme: 'http', receivedAt: clock.ticks() } as const
      const { status } = await egress(arrival('GET', 'http://deb.example/', { Host: 'deb.example', ...headers }, options))
      return [status, vendor.calls[0]?.headers.entries()]
    }
    expect(await asked({ ...own(token), ...plain('theirs') })).toEqual([200, [['authorization', 'Bearer theirs']]])
    expect(await asked(plain(token))).toEqual([403, undefined])
  })

  it('of one issuer is not that of another, though both stand for the same', async () => {
    const other = caller('by-token', { token: { issuer: 'strict', claims: [{ path: 'sub', kind: 'in', values: ['shop'] }] } })
    expect(await who({ callers: [other], headers: own(await idp.token({ sub: 'shop' })) })).toBe('403 caller_unknown')
  })
})
