import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { generate } from 'selfsigned'
import { describe, expect, it } from 'vitest'
import { type Certificate, readCertificate, spiffeOf } from '../../src/core/certificate.ts'
import { checkSpiffePattern, compileSpiffe, parseSpiffeId, spiffePatternsMeet } from '../../src/core/spiffe.ts'
import { writeCertificate } from '../../src/node/written-certificate.ts'

const nobody = { uri: [], dns: [], email: [], commonName: undefined }

function good(der: Uint8Array): Certificate {
  const read = readCertificate(der)
  if ('problem' in read) throw new Error(read.problem)
  return read
}

type AltName = { readonly type: 1 | 2 | 6; readonly value: string } | { readonly type: 7; readonly ip: string }

async function made(options: { names?: readonly AltName[]; subject?: readonly { name?: string; shortName?: string; value: string }[]; rsa?: boolean } = {}) {
  const { names = [], subject = [{ name: 'commonName', value: 'orders' }], rsa = false } = options
  const pem = await generate([...subject], {
    keyType: rsa ? 'rsa' : 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      ...(names.length === 0 ? [] : [{ name: 'subjectAltName' as const, altNames: [...names] }]),
    ],
  })
  return new X509Certificate(pem.cert)
}

describe('a certificate', () => {
  it('is read as Node reads it', async () => {
    const names: readonly AltName[] = [
      { type: 1, value: 'ops@shop.test' },
      { type: 2, value: 'orders.shop.test' },
      { type: 2, value: '*.shop.test' },
      { type: 6, value: 'spiffe://shop.test/ns/a' },
      { type: 7, ip: '10.0.0.1' },
    ]
    for (const rsa of [false, true]) {
      const oracle = await made({
        names,
        rsa,
        subject: [
          { name: 'commonName', value: 'orders' },
          { name: 'organizationName', value: 'Shöp' },
        ],
      })
      const read = good(oracle.raw)
      expect(read.san).toEqual({ email: ['ops@shop.test'], dns: ['orders.shop.test', '*.shop.test'], uri: ['spiffe://shop.test/ns/a'] })
      expect(read.serial.replace(/^0+/, '')).toBe(oracle.serialNumber.replace(/^0+/, ''))
      expect([read.notBefore, read.notAfter]).toEqual([oracle.validFromDate.getTime(), oracle.validToDate.getTime()])
      expect(read.commonNames).toEqual(['orders'])
      expect(read.subject).toBe('O=Shöp,CN=orders')
      expect(read.signs).toBe(false)
    }
  })

  it.each([
    ['a, "b"', 'CN=a\\, \\"b\\"'],
    [' a ', 'CN=\\ a\\ '],
    ['#a+b', 'CN=\\#a\\+b'],
    ['a\nb', 'CN=a\\0ab'],
  ])('shows the common name %j as %s', (commonName, shown) => {
    expect(good(writeCertificate({ ...nobody, commonName })).subject).toBe(shown)
  })

  it('is read alike whatever its names are', async () => {
    const label = fc.stringMatching(/^[a-z0-9-]{1,20}$/)
    const names = fc.record({
      uri: fc.array(
        label.map((text) => `spiffe://shop.test/${text}`),
        { maxLength: 3 },
      ),
      dns: fc.array(
        label.map((text) => `${text}.shop.test`),
        { maxLength: 3 },
      ),
      email: fc.array(
        label.map((text) => `${text}@shop.test`),
        { maxLength: 3 },
      ),
      commonName: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(names, (said) => {
        const { san, commonNames } = good(writeCertificate(said))
        expect(san).toEqual({ uri: said.uri, dns: said.dns, email: said.email })
        expect(commonNames).toEqual(said.commonName === undefined ? [] : [said.commonName])
      }),
    )
  })

  it('never says other names than Node reads, and never throws, when bytes of it are changed', async () => {
    const whole = (
      await made({
        names: [
          { type: 2, value: 'orders.shop.test' },
          { type: 6, value: 'spiffe://shop.test/ns/a' },
        ],
      })
    ).raw
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
    let both = 0
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const der = Uint8Array.from(whole)
        for (const [at, byte] of changes) der[at] = byte
        const read = readCertificate(der)
        const oracle = nodeReads(der)
        if ('problem' in read || oracle === undefined) return
        both++
        const said = (oracle.subjectAltName ?? '').split(', ').filter((name) => /^(?:DNS|URI|email):/.test(name))
        expect(
          [...read.san.dns.map((name) => `DNS:${name}`), ...read.san.uri.map((name) => `URI:${name}`), ...read.san.email.map((name) => `email:${name}`)].sort(),
        ).toEqual(
          // Node quotes names that could be misread.
          said.map((name) => name.replace(/:"(.*)"$/, (_, inner: string) => `:${String(JSON.parse(`"${inner}"`))}`)).sort(),
        )
        expect(read.notAfter).toBe(oracle.validToDate.getTime())
      }),
      { numRuns: 2000 },
    )
    expect(both).toBeGreaterThan(100)
  })

  it('is refused with a malformed name of another kind, which would hide all names from others', async () => {
    const { raw } = await made({
      names: [
        { type: 2, value: 'orders.shop.test' },
        { type: 6, value: 'spiffe://shop.test/ns/a' },
      ],
    })
    const at = Buffer.from(raw).indexOf('orders.shop.test') - 2
    const der = Uint8Array.from(raw)
    der[at] = 0xa0 // an otherName
    expect(nodeReads(der)?.subjectAltName ?? '').not.toContain('spiffe')
    expect(readCertificate(der)).toHaveProperty('problem')
  })

  it('is refused when anything is cut off or added', async () => {
    const { raw } = await made()
    for (let length = 0; length < raw.length; length++) expect(readCertificate(raw.subarray(0, length))).toHaveProperty('problem')
    expect(readCertificate(Uint8Array.from([...raw, 0]))).toHaveProperty('problem')
    expect(readCertificate(new Uint8Array(65_537))).toHaveProperty('problem')
  })

  it.each(['a\0b', 'a\nb', 'ä'])('is refused with a name such as %j', (name) => {
    expect(readCertificate(writeCertificate({ ...nobody, dns: [name] }))).toHaveProperty('problem')
    expect(readCertificate(writeCertificate({ ...nobody, uri: [`spiffe://a/${name}`] }))).toHaveProperty('problem')
  })

  it('is refused with lengths, times and numbers that DER writes otherwise', () => {
    const der = writeCertificate({ ...nobody, dns: ['a.test'] })
    const replaced = (from: readonly number[], to: readonly number[]) => {
      const hex = Buffer.from(der).toString('hex').replace(Buffer.from(from).toString('hex'), Buffer.from(to).toString('hex'))
      return new Uint8Array(Buffer.from(hex, 'hex'))
    }
    const time = (text: string) => [...Buffer.from(text)]
    expect(good(der).notAfter).toBe(Date.UTC(9999, 11, 31, 23, 59, 59))
    for (const [from, to] of [
      [time('99991231235959Z'), time('99991331235959Z')],
      [time('99991231235959Z'), time('99990229235959Z')],
      [time('99991231235959Z'), time('9999123123595Z0')],
      [
        [0x02, 1, 1],
        [0x02, 1, 0x81],
      ],
      [
        [0x02, 1, 1],
        [0x03, 1, 1],
      ],
      [
        [0x06, 3, 0x55, 0x1d, 0x11],
        [0x06, 3, 0x55, 0x80, 0x11],
      ],
    ] as const)
      expect(readCertificate(replaced(from, to))).toHaveProperty('problem')
  })
})

function nodeReads(der: Uint8Array): X509Certificate | undefined {
  try {
    const read = new X509Certificate(der)
    return read.validToDate === undefined ? undefined : read
  } catch {
    return undefined
  }
}

describe('a SPIFFE id', () => {
  it.each(['spiffe://example.org', 'spiffe://example.org/a', 'spiffe://a_b-c.1/ns/X/sa/y.z', `spiffe://${'a'.repeat(255)}`])('may be %s', (id) => {
    expect(parseSpiffeId(id)).toHaveProperty('trustDomain')
  })

  it.each([
    'spiffe:/example.org',
    'SPIFFE://example.org/a',
    'spiffe://Example.org/a',
    'spiffe://example.org/',
    'spiffe://example.org//a',
    'spiffe://example.org/a/',
    'spiffe://example.org/.',
    'spiffe://example.org/a/../b',
    'spiffe://example.org/%61',
    'spiffe://example.org:443/a',
    'spiffe://u@example.org/a',
    'spiffe://example.org/a?b',
    'spiffe://example.org/a#b',
    'spiffe://',
    'spiffe:///a',
    'https://example.org/a',
    `spiffe://${'a'.repeat(256)}/a`,
    `spiffe://a/${'b'.repeat(2048)}`,
    'spiffe://example.org/a\n',
    'spiffe://exämple.org/a',
  ])('is not %s', (id) => {
    expect(parseSpiffeId(id)).toHaveProperty('problem')
  })

  it('is compared as a whole, or from the beginning of a segment', () => {
    const fits = compileSpiffe(['spiffe://a/ns/one', 'spiffe://a/ns/two/*', 'spiffe://b/*'])
    expect(['spiffe://a/ns/one', 'spiffe://a/ns/two/x', 'spiffe://a/ns/two/x/y', 'spiffe://b/x'].every(fits)).toBe(true)
    expect(['spiffe://a/ns/one/x', 'spiffe://a/ns/two', 'spiffe://a/ns/twox', 'spiffe://b.evil/x', 'spiffe://b', 'spiffe://c/x'].some(fits)).toBe(false)
    expect(checkSpiffePattern('spiffe://a/*')).toBeUndefined()
    expect(
      ['spiffe://*', 'spiffe://*/a', 'spiffe:///*', 'spiffe://a*/b', 'spiffe://a/b*', 'spiffe://a/*b/c', 'spiffe://a/**', 'spiffe://a/*/', 'a', '*', '/*'].map(
        checkSpiffePattern,
      ),
    ).not.toContain(undefined)
  })

  it('fits a pattern whose * stands for one segment within, and for everything below at the end', () => {
    const fits = compileSpiffe(['spiffe://a/ns/*/sa/shop', 'spiffe://b/*/x/*'])
    expect(['spiffe://a/ns/one/sa/shop', 'spiffe://b/1/x/2', 'spiffe://b/1/x/2/3'].every(fits)).toBe(true)
    expect(['spiffe://a/ns/one/two/sa/shop', 'spiffe://a/ns/sa/shop', 'spiffe://a/ns/one/sa/shop/x', 'spiffe://b/1/x', 'spiffe://b/1/y/2'].some(fits)).toBe(
      false,
    )
  })

  it('never fits two patterns that do not meet, and one is found where they do', () => {
    const segment = fc.constantFrom('a', 'b', '*')
    const pattern = fc.array(segment, { minLength: 1, maxLength: 4 }).map((path) => `spiffe://t/${path.join('/')}`)
    const ids = [1, 2, 3, 4, 5].flatMap((length) =>
      Array.from({ length: 2 ** length }, (_, bits) => `spiffe://t/${Array.from({ length }, (_unused, i) => (((bits >> i) & 1) === 0 ? 'a' : 'b')).join('/')}`),
    )
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        expect(checkSpiffePattern(one)).toBeUndefined()
        const [first, second] = [compileSpiffe([one]), compileSpiffe([other])]
        expect(spiffePatternsMeet(one, other)).toBe(ids.some((id) => first(id) && second(id)))
        expect(spiffePatternsMeet(other, one)).toBe(spiffePatternsMeet(one, other))
      }),
    )
  })

  it('takes no text for a pattern that is no id with stars for whole segments', () => {
    const text = fc.string({ unit: fc.constantFrom('s', 'p', '*', '/', ':', '.', '%', 'A', ' '), maxLength: 12 }).map((tail) => `spiffe://${tail}`)
    fc.assert(
      fc.property(text, (pattern) => {
        const isGood = checkSpiffePattern(pattern) === undefined
        const [domain, ...path] = pattern.slice('spiffe://'.length).split('/')
        const plain = ['spiffe:/', domain, ...path.map((segment) => (segment === '*' ? 'x' : segment))].join('/')
        expect(isGood).toBe(!('problem' in parseSpiffeId(plain)))
      }),
    )
  })

  it('of a certificate is its only URI, names a workload, and signs nothing', () => {
    const of = (...uri: readonly string[]) => spiffeOf(good(writeCertificate({ ...nobody, uri })))
    expect(of('spiffe://a/b')).toMatchObject({ id: 'spiffe://a/b', trustDomain: 'a', path: '/b' })
    for (const uris of [[], ['spiffe://a/b', 'spiffe://a/c'], ['spiffe://a/b', 'https://a'], ['https://a/b'], ['spiffe://a']])
      expect(of(...uris)).toHaveProperty('problem')
    const plain = good(writeCertificate({ ...nobody, uri: ['spiffe://a/b'] }))
    expect(spiffeOf({ ...plain, signs: true })).toHaveProperty('problem')
  })
})

it.each([
  ['an authority', [{ name: 'basicConstraints' as const, cA: true }]],
  ['a key that signs certificates', [{ name: 'keyUsage' as const, keyCertSign: true }]],
  ['a key that signs lists of revoked ones', [{ name: 'keyUsage' as const, cRLSign: true }]],
])('a certificate of %s is seen to sign', async (_, extensions) => {
  const pem = await generate([{ name: 'commonName', value: 'ca' }], { keyType: 'ec', algorithm: 'sha256', extensions })
  expect(good(new X509Certificate(pem.cert).raw).signs).toBe(true)
})
