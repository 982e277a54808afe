import { createHash, X509Certificate } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { type DpopClient, dpopClient } from '../../support/dpop.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { deliver, flawsOf, type Message, refusals } from './attack.ts'
import { type House, openHouse } from './house.ts'
import { attackPolicies } from './policies.ts'

const keep = untilTheEnd()
let house: House
let pem: Certificates
let client: DpopClient

beforeAll(async () => {
  pem = await makeCertificates()
  client = await dpopClient()
  const tls = 'tls: { certificate: env:TLS_CERTIFICATE, key: env:TLS_KEY, clientAuth: optional, clientCa: env:TLS_CA }'
  const policies = attackPolicies
    .replace('limits: { body: 4KiB }', `${tls}, limits: { body: 4KiB }`)
    .replace('proof: { required: any }', 'proof: { required: any, nonceKey: env:NONCE_KEY }')
  const variables = { TLS_CERTIFICATE: pem.server.certificate, TLS_KEY: pem.server.key, TLS_CA: pem.ca, NONCE_KEY: 'n'.repeat(32) }
  house = await openHouse(keep, { policies, variables })
})

const authority = 'service.test'

/** A request by hand over TLS, with a client certificate or without one. */
function secured(fields: readonly string[], who?: 'client' | 'stranger', path = '/bound/7'): Message {
  const options: ConnectionOptions = { ca: pem.ca, servername: authority, ...(who === undefined ? {} : { cert: pem[who].certificate, key: pem[who].key }) }
  return { over: 'bytes', text: [`GET ${path} HTTP/1.1`, `Host: ${authority}`, ...fields, '', ''].join('\r\n'), tls: options }
}

const bearer = (token: string) => `Authorization: Bearer ${token}`
const thumbprint = (certificate: string, hash = 'sha256') => createHash(hash).update(new X509Certificate(certificate).raw).digest('base64url')
const boundTo = (cnf: unknown) => house.bound.token({ aud: 'https://bound.example.com', cnf })
const status = async (message: Message) => (await deliver(house.port, message)).status

describe('a token that is bound to a client certificate', () => {
  const noCertificate = { as: refusals.badToken, why: 'a client certificate that this connection does not have' }

  it('control: passes over a connection with that certificate', async () => {
    const token = await boundTo({ 'x5t#S256': thumbprint(pem.client.certificate) })
    expect(await status(secured([bearer(token)], 'client'))).toBe(200)
    expect(await status(secured([bearer(token), 'X-Client-Cert: other'], 'client'))).toBe(200)
  })

  it('without a certificate is refused (RFC 8705 section 3)', async () => {
    expect(await flawsOf(house, secured([bearer(await boundTo({ 'x5t#S256': thumbprint(pem.client.certificate) }))]), noCertificate)).toEqual([])
  })

  it('with another certificate of the connection is refused (RFC 8705 section 3)', async () => {
    expect(await flawsOf(house, secured([bearer(await boundTo({ 'x5t#S256': thumbprint(pem.server.certificate) }))], 'client'), noCertificate)).toEqual([])
  })

  it('with a certificate that nobody signed has no connection (RFC 8705 section 2.1)', async () => {
    const token = await boundTo({ 'x5t#S256': thumbprint(pem.stranger.certificate) })
    const size = house.upstream.size()
    await expect(deliver(house.port, secured([bearer(token)], 'stranger'))).rejects.toThrow(/whole answer|ECONNRESET|alert|EPIPE/)
    expect(house.upstream.size()).toBe(size)
  })

  it.each([
    'X-Forwarded-Client-Cert',
    'X-SSL-Cert',
    'X-Client-Cert',
    'SSL-Client-Cert',
    'X-ARR-ClientCert',
    'X-Amzn-Mtls-Clientcert',
    'Client-Cert',
    'X-Envoy-Peer-Cert',
  ])('is not proved by %s (RFC 9440 section 4)', async (name) => {
    const token = await boundTo({ 'x5t#S256': thumbprint(pem.client.certificate) })
    const der = new X509Certificate(pem.client.certificate).raw.toString('base64')
    for (const value of [`:${der}:`, encodeURIComponent(pem.client.certificate), `Hash=${createHash('sha256').update(der).digest('hex')};Cert="${der}"`])
      expect(await flawsOf(house, secured([bearer(token), `${name}: ${value}`]), noCertificate)).toEqual([])
  })

  it.each([
    ['SHA-1', () => ({ 'x5t#S256': thumbprint(pem.client.certificate, 'sha1') })],
    ['hexadecimal', () => ({ 'x5t#S256': Buffer.from(thumbprint(pem.client.certificate), 'base64url').toString('hex') })],
    ['padding', () => ({ 'x5t#S256': `${thumbprint(pem.client.certificate)}=` })],
    ['the name x5t', () => ({ x5t: thumbprint(pem.client.certificate) })],
    ['a list', () => ({ 'x5t#S256': [thumbprint(pem.client.certificate)] })],
  ])('names it in one way only: not in %s (RFC 8705 section 3.1)', async (_, cnf) => {
    expect(await flawsOf(house, secured([bearer(await boundTo(cnf()))], 'client'), { as: refusals.badToken, why: 'in a way that is not supported' })).toEqual(
      [],
    )
  })

  it('and to a key needs both (RFC 7800 section 3)', async () => {
    const token = await boundTo({ 'x5t#S256': thumbprint(pem.client.certificate), jkt: client.thumbprint })
    expect(await flawsOf(house, secured([bearer(token)], 'client'), { as: refusals.badToken, why: 'without the scheme DPoP' })).toEqual([])
    expect(await flawsOf(house, secured([`Authorization: DPoP ${token}`], 'client'), { as: refusals.badProof, why: 'no DPoP header' })).toEqual([])
    const proof = await client.proof({ url: `https://${authority}/bound/7`, token, now: Date.now() })
    expect(await flawsOf(house, secured([`Authorization: DPoP ${token}`, `DPoP: ${proof}`]), noCertificate)).toEqual([])
  })

  it('under the scheme DPoP is refused (RFC 9449 section 7.1)', async () => {
    const token = await boundTo({ 'x5t#S256': thumbprint(pem.client.certificate) })
    expect(await flawsOf(house, secured([`Authorization: DPoP ${token}`], 'client'), { as: refusals.badToken, why: 'bound to no key' })).toEqual([])
  })
})

describe('nonces', () => {
  const proved = async (claims: Readonly<Record<string, unknown>>) => {
    const token = await boundTo({ jkt: client.thumbprint })
    const proof = await client.proof({ url: `https://${authority}/bound/7`, token, now: Date.now(), claims })
    return secured([`Authorization: DPoP ${token}`, `DPoP: ${proof}`])
  }
  const given = async () => (await deliver(house.port, await proved({}))).headers['dpop-nonce']

  it('control: a proof with the nonce that was given passes', async () => {
    expect(await status(await proved({ nonce: await given() }))).toBe(200)
  })

  it.each([
    ['none', undefined],
    ['made up', 'made-up'],
    ['empty', ''],
    ['a number', 7],
    ['a list', ['x']],
    ['signed with nothing', 'eyJhbGciOiJub25lIn0.MQ.'],
    ['a token of HS256 with another key', 'eyJhbGciOiJIUzI1NiJ9.OTk5OTk5OQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
  ])('%s is refused, and a good one is given (RFC 9449 section 9)', async (_, nonce) => {
    const message = await proved({ nonce })
    expect(await flawsOf(house, message, { as: refusals.nonceWanted })).toEqual([])
    expect((await deliver(house.port, await proved({ nonce }))).headers['dpop-nonce']).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  it('is not given to a proof that is bad in another way (RFC 9449 section 9)', async () => {
    const answer = await deliver(house.port, await proved({ htm: 'POST' }))
    expect([answer.status, answer.headers['dpop-nonce'], answer.headers['www-authenticate']]).toEqual([401, undefined, refusals.badProof.challenge])
  })
})

describe('a client certificate is nobody’s bearer token', () => {
  it('is refused where a token is asked for (RFC 8705 section 1)', async () => {
    expect(await flawsOf(house, secured([], 'client', '/private/7'), { as: refusals.nobody })).toEqual([])
  })
})
