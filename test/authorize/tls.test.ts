import { describe, expect, it } from 'vitest'
import { buildDecide } from '../../src/core/ingress/authorize.ts'
import { anonymous, type Principal } from '../../src/core/model/principal.ts'
import type { Rule, TlsTest } from '../../src/core/policy/linked/access.ts'
import { type WrittenCertificate, writeCertificate } from '../../src/node/written-certificate.ts'
import { access, accessPolicy, matched, rule } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'
import { subject } from '../support/metering.ts'

const nothing: TlsTest = { spiffe: undefined, dns: undefined, uri: undefined }

function decide(rules: readonly Rule[], certificate: Uint8Array | undefined, principal: Principal = subject('u1')) {
  const x = matched(['p'])
  const decision = buildDecide(accessPolicy([access('p', rules)]), { clock: fakeClock() })(
    Object.assign(x, { principal, client: { ...x.client, certificate } }),
    { trace: true },
  )
  return { said: decision.outcome === 'permit' ? 'permit' : decision.code, failed: decision.trace?.[0]?.failed }
}

const names = (said: Partial<WrittenCertificate>) => writeCertificate({ uri: [], dns: [], email: [], commonName: undefined, ...said })
const allow = (tls: Partial<TlsTest>) => [rule('only', 'allow', { tls: { ...nothing, ...tls } })]

describe('a rule about the certificate of the connection', () => {
  it.each<readonly [Partial<TlsTest>, Partial<WrittenCertificate>, string]>([
    [{ spiffe: ['spiffe://a/b'] }, { uri: ['spiffe://a/b'] }, 'permit'],
    [{ spiffe: ['spiffe://a/b/*'] }, { uri: ['spiffe://a/b/c'] }, 'permit'],
    [{ spiffe: ['spiffe://a/b'] }, { uri: ['spiffe://a/c'] }, 'forbidden'],
    // Two URIs are no SVID, whatever they are.
    [{ spiffe: ['spiffe://a/b'] }, { uri: ['spiffe://a/b', 'urn:x'] }, 'forbidden'],
    [{ spiffe: ['spiffe://a/b'] }, { commonName: 'spiffe://a/b' }, 'forbidden'],
    [{ dns: ['*.shop.test'] }, { dns: ['other.test', 'Web.Shop.Test'] }, 'permit'],
    [{ dns: ['*.shop.test'] }, { dns: ['a.b.shop.test'] }, 'forbidden'],
    [{ dns: ['web.shop.test'] }, { dns: ['*.shop.test'] }, 'forbidden'],
    [{ uri: ['urn:x:.*'] }, { uri: ['urn:y', 'urn:x:1'] }, 'permit'],
    [{ uri: ['urn:x'] }, { uri: ['urn:x:1'] }, 'forbidden'],
    [{ dns: ['a.test'], uri: ['urn:x'] }, { dns: ['a.test'], uri: ['urn:x'] }, 'permit'],
    [{ dns: ['a.test'], uri: ['urn:x'] }, { dns: ['a.test'] }, 'forbidden'],
  ])('%j with %j: %s', (tls, said, expected) => {
    expect(decide(allow(tls), names(said)).said).toBe(expected)
  })

  it('fits no connection without one, and says so', () => {
    expect(decide(allow({ dns: ['a.test', 'b.test'] }), undefined)).toEqual({
      said: 'forbidden',
      failed: expect.objectContaining({ what: 'tls', expected: 'one of a.test, b.test', actual: 'no client certificate' }),
    })
  })

  it('lets nobody in by itself who is anonymous, and denies them too', () => {
    const der = names({ dns: ['a.test'] })
    expect(decide(allow({ dns: ['a.test'] }), der, anonymous).said).toBe('unauthenticated')
    const rules = [rule('no', 'deny', { tls: { ...nothing, dns: ['a.test'] } }), rule('all', 'allow', { anonymous: true })]
    expect(decide(rules, der, anonymous).said).toBe('forbidden')
    expect(decide(rules, undefined, anonymous).said).toBe('permit')
  })

  it('does not take one that cannot be read for none', () => {
    const rules = [rule('no', 'deny', { tls: { ...nothing, dns: ['a.test'] } }), rule('all', 'allow')]
    expect(decide(rules, Uint8Array.from([1])).said).toBe('policy_error')
    expect(decide(allow({ dns: ['a.test'] }), Uint8Array.from([1])).said).toBe('forbidden')
  })
})
