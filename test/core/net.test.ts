import { isIP } from 'node:net'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkCidr, compileCidrs, formatAuthority, isAddress, networkOf, normalizeAddress, parseAuthority } from '../../src/core/net.ts'

describe('addresses', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1', '192.0.2.1/32'],
    ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1/32'],
    ['::FFFF:c000:201', '192.0.2.1', '192.0.2.1/32'],
    ['::1', '::1', '::/64'],
    ['::', '::', '::/64'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', '2001:db8::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3', '1:0:0:2::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', '1:2:3:4::/64'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304', '64:ff9b::/64'],
    ['fe80::1%eth0', 'fe80::1', 'fe80::/64'],
    ['', '', ''],
    ['unix', 'unix', 'unix'],
  ])('%s is %s in network %s', (text, address, network) => {
    expect(normalizeAddress(text)).toBe(address)
    expect(networkOf(text)).toBe(network)
  })

  test.each([
    '01.2.3.4',
    '1.2.3',
    '1.2.3.4.5',
    '0x7f.0.0.1',
    '256.0.0.1',
    '1',
    '1.2.3.4 ',
    '+1.2.3.4',
    ':::',
    '1::2::3',
    '12345::',
    ':1',
    '1:',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1.2.3.4::',
    '::1.2.3.04',
    '[::1]',
    '::1%eth0',
    '1:2:3:4:5:6:7:8::',
  ])('%j is no address', (text) => {
    expect(isAddress(text)).toBe(false)
  })

  test('what is an address is what Node takes for one', () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef:.:.')), maxLength: 24 }))
    fc.assert(
      fc.property(text, (address) => {
        expect([address, isAddress(address)]).toEqual([address, isIP(address) !== 0])
      }),
      { numRuns: 5000 },
    )
  })

  test('the normal form is its own and is the same address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        const normal = normalizeAddress(address)
        expect(normalizeAddress(normal)).toBe(normal)
        const shown = new URL(`http://${formatAuthority(normal, undefined)}/`).hostname
        expect(shown).toBe(formatAuthority(normal, undefined))
      }),
    )
  })
})

describe('networks', () => {
  test.each(['10.0.0.0/8', '0.0.0.0/0', '10.1.2.3', '10.1.2.3/32', '::/0', '2001:db8::/33', '::1', '2001:db8::1/128'])('%s is one', (text) => {
    expect(checkCidr(text)).toBeUndefined()
  })
  test.each([
    ['10.0.0.1/8', '10.0.0.0/8'],
    ['2001:db8::1/64', '2001:db8::/64'],
    ['10.0.0.0/33', 'prefix length'],
    ['10.0.0.0/', 'prefix length'],
    ['10.0.0.0/08', 'prefix length'],
    ['10.0.0.0/8/8', 'prefix length'],
    ['::/129', 'prefix length'],
    ['10.0/8', 'not an IPv4'],
    ['', 'not an IPv4'],
    ['::ffff:10.0.0.0/104', 'IPv4-mapped'],
  ])('%s is refused and the sentence says %s', (text, words) => {
    expect(checkCidr(text)).toContain(words)
    expect(() => compileCidrs([text])).toThrow(words)
  })

  test.each([
    [[], '10.0.0.1', false],
    [['10.0.0.0/8'], '10.255.255.255', true],
    [['10.0.0.0/8'], '11.0.0.0', false],
    [['10.0.0.0/8'], '9.255.255.255', false],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', true],
    [['10.0.0.0/8'], '::a00:1', false],
    [['0.0.0.0/0'], '::1', false],
    [['::/0'], '10.0.0.1', false],
    [['::/0'], 'fe80::1%eth0', true],
    [['10.0.0.0/9', '10.0.0.0/8', '10.64.0.0/16'], '10.200.0.1', true],
    [['192.0.2.7'], '192.0.2.7', true],
    [['192.0.2.7'], '192.0.2.8', false],
    [['0.0.0.0/0', '::/0'], 'unix', false],
    [['0.0.0.0/0', '::/0'], '', false],
  ])('%j holds %s: %s', (list, address, expected) => {
    expect(compileCidrs(list)(address)).toBe(expected)
  })

  test('an address is in a list when its leading bits are those of one of the networks', () => {
    const bitsOf = (address: string) =>
      address
        .split('.')
        .map((octet) => Number(octet).toString(2).padStart(8, '0'))
        .join('')
    const network = fc.tuple(fc.constantFrom('10', '11', '192'), fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(32)).map(([a, b, c, d, prefix]) => {
      const bits = bitsOf(`${a}.${b}.${c}.${d}`).slice(0, prefix).padEnd(32, '0')
      return { prefix, bits, text: `${[0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2)).join('.')}/${prefix}` }
    })
    const address = fc.tuple(fc.constantFrom('10', '11', '192'), fc.nat(255), fc.nat(255), fc.nat(255)).map((octets) => octets.join('.'))
    fc.assert(
      fc.property(fc.array(network, { maxLength: 8 }), address, (networks, asked) => {
        const expected = networks.some(({ prefix, bits }) => bitsOf(asked).slice(0, prefix) === bits.slice(0, prefix))
        expect(compileCidrs(networks.map(({ text }) => text))(asked)).toBe(expected)
      }),
    )
  })
})

describe('authorities', () => {
  test.each([
    ['api.example.com', 'api.example.com', undefined],
    ['API.Example.com:8443', 'api.example.com', 8443],
    ['localhost:0', 'localhost', 0],
    ['my_service', 'my_service', undefined],
    ['1.2.3.4:80', '1.2.3.4', 80],
    ['[::1]:8080', '::1', 8080],
    ['[2001:DB8::0:1]', '2001:db8::1', undefined],
    ['[::ffff:1.2.3.4]', '1.2.3.4', undefined],
    [`${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`, undefined],
  ])('%s is host %s and port %s', (text, host, port) => {
    expect(parseAuthority(text)).toEqual({ host, port })
  })
  test.each([
    '',
    ':80',
    'a:',
    'a:b',
    'a:-1',
    'a:65536',
    'a:080',
    'a:80:80',
    'u@a',
    'u:p@a',
    '@a',
    'a b',
    ' a',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a%41',
    'a,b',
    'é.com',
    'a..b',
    '.a',
    'a.',
    '-a',
    'a-',
    'a.-b',
    `${'a'.repeat(64)}.b`,
    `${'a.'.repeat(127)}a`,
    '127.1',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '1.2.3.4.5',
    'a.1',
    '2130706433',
    '[::1',
    '::1',
    '[]',
    '[::1]x',
    '[::1]:',
    '[1.2.3.4]',
    '[::1%25eth0]',
    'a\u0000b',
    '\u212a',
  ])('%j is refused', (text) => {
    expect(parseAuthority(text)).toHaveProperty('problem')
  })

  test('no byte but letters, digits, "-" and "_" stands inside a name', () => {
    for (let byte = 0; byte < 256; byte++) {
      const char = String.fromCharCode(byte)
      const parsed = parseAuthority(`a${char}b.example`)
      expect([byte, 'host' in parsed]).toEqual([byte, /[A-Za-z0-9_.-]/.test(char)])
    }
  })

  test('what is accepted is what a URL parser takes for the same host and port', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('a1.-:[]f0x@/')), maxLength: 12 }), (text) => {
        const parsed = parseAuthority(text)
        if ('problem' in parsed) return
        const url = new URL(`none://${text}`)
        // No URL parser keeps an IPv6 address as it was written.
        expect(url.host).toBe(text.startsWith('[') ? formatAuthority(parsed.host, parsed.port) : text)
        expect(new URL(`http://${formatAuthority(parsed.host, parsed.port)}/`).hostname).toBe(formatAuthority(parsed.host, undefined))
      }),
      { numRuns: 5000 },
    )
  })
})
