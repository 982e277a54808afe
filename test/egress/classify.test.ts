import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classifyAddress } from '../../src/core/egress/guard/classify.ts'
import { buildJudge } from '../../src/core/egress/guard/judge.ts'
import { compileNat64, nat64Problem } from '../../src/core/nat64.ts'

const judge = buildJudge([], 'prod')

describe('the address classifier', () => {
  it.each([
    ['8.8.8.8', 'global'],
    ['1.1.1.1', 'global'],
    ['172.15.255.255', 'global'],
    ['172.32.0.0', 'global'],
    ['100.63.255.255', 'global'],
    ['100.128.0.0', 'global'],
    ['168.63.129.15', 'global'],
    ['2606:4700:4700::1111', 'global'],
    ['2A00:1450:4001:0830:0000:0000:0000:200E', 'global'],
    ['2620:fe::fe', 'global'],
  ])('lets %s pass', (address, kind) => {
    expect(classifyAddress(address).kind).toBe(kind)
    expect(judge(address)).toBeUndefined()
  })

  it.each([
    // this host, this network
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['0:0:0:0:0:0:0:1', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['fd12:3456::1', 'private'],
    ['fc00::1', 'private'],
    ['100.64.0.1', 'shared'],
    ['100.127.255.255', 'shared'],
    ['169.254.0.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['FE80::1', 'link-local'],
    // metadata and platform services
    ['169.254.169.254', 'metadata'],
    ['169.254.170.2', 'metadata'],
    ['169.254.170.23', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['192.0.0.192', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['FD00:0EC2:0:0:0:0:0:254', 'metadata'],
    ['fd20:ce::254', 'metadata'],
    // groups, and what nobody was given
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['240.0.0.1', 'reserved'],
    ['192.0.2.1', 'reserved'],
    ['198.51.100.1', 'reserved'],
    ['203.0.113.1', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['192.88.99.1', 'reserved'],
    ['2001:db8::1', 'reserved'],
    ['3fff::1', 'reserved'],
    ['4000::1', 'reserved'],
    ['fec0::1', 'reserved'],
    ['100::1', 'reserved'],
    ['5f00::1', 'reserved'],
    // IPv6 that ends at some IPv4
    ['::ffff:127.0.0.1', 'mapped'],
    ['::ffff:8.8.8.8', 'mapped'],
    ['::FFFF:7F00:1', 'mapped'],
    ['0:0:0:0:0:ffff:a9fe:a9fe', 'mapped'],
    ['::7f00:1', 'compatible'],
    ['::127.0.0.1', 'compatible'],
    ['::8.8.8.8', 'compatible'],
    ['::ffff:0:127.0.0.1', 'translated'],
    ['64:ff9b::7f00:1', 'nat64'],
    ['64:ff9b::169.254.169.254', 'nat64'],
    ['64:ff9b::8.8.8.8', 'nat64'],
    ['64:ff9b:1::7f00:1', 'nat64-local'],
    ['2002:7f00:1::', '6to4'],
    ['2002:a9fe:a9fe::1', '6to4'],
    ['2001:0:7f00:1::1', 'teredo'],
    ['2001::1', 'teredo'],
    ['2606:4700::5efe:127.0.0.1', 'isatap'],
    ['2606:4700::200:5efe:10.0.0.1', 'isatap'],
    ['2606:4700::300:5efe:10.0.0.1', 'isatap'],
    // spellings that resolvers read in different ways
    ['0177.0.0.1', 'invalid'],
    ['010.0.0.1', 'invalid'],
    ['2130706433', 'invalid'],
    ['0x7f000001', 'invalid'],
    ['0x7f.1', 'invalid'],
    ['127.1', 'invalid'],
    ['127.0.0.1.', 'invalid'],
    ['127.0.0.1 ', 'invalid'],
    ['127.0.0.256', 'invalid'],
    ['1.2.3', 'invalid'],
    ['[::1]', 'invalid'],
    ['::1::', 'invalid'],
    ['localhost', 'invalid'],
    ['', 'invalid'],
  ])('refuses %s', (address, kind) => {
    expect(classifyAddress(address).kind).toBe(kind)
    expect(judge(address)).toMatch(/not a public address/)
  })

  it('never throws and never calls global what no list of global addresses holds', () => {
    const run = fc.check(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended()), (text) => {
        const { kind } = classifyAddress(text)
        const v6 = text.includes(':') && (Number.parseInt(text, 16) & 0xe000) === 0x2000
        const v4 = /^(?!0|10\.|127\.|169\.254\.|192\.168\.|22[4-9]|2[345]\d)\d+\.\d+\.\d+\.\d+$/.test(text)
        return kind !== 'global' || v6 || v4
      }),
    )
    expect(run.counterexample).toBeNull()
  })
})

describe('allowAddresses', () => {
  it.each([
    ['a listed private network', ['10.20.0.0/24'], 'prod', '10.20.0.7'],
    ['a listed single address', ['10.20.0.7'], 'prod', '10.20.0.7'],
    ['listed loopback', ['127.0.0.0/8'], 'prod', '127.0.0.1'],
    ['a listed unique local network', ['fd12::/16'], 'prod', 'fd12::1'],
    ['link-local outside prod', ['169.254.0.0/16'], 'nonprod', '169.254.7.7'],
    ['metadata by its own name outside prod', ['169.254.169.254/32'], 'nonprod', '169.254.169.254'],
    ['public addresses beside a list', ['10.0.0.0/8'], 'prod', '8.8.8.8'],
    ['NAT64 with a public address inside, where the network translates', ['64:ff9b::/96'], 'prod', '64:ff9b::8.8.8.8'],
    ['NAT64 with a listed address inside', ['64:ff9b::/96', '10.0.0.0/8'], 'prod', '64:ff9b::10.0.0.1'],
  ] as const)('opens %s', (_, list, environmentClass, address) => {
    expect(buildJudge(list, environmentClass)(address)).toBeUndefined()
  })

  it.each([
    ['what lies beside the network', ['10.20.0.0/24'], 'nonprod', '10.20.1.1'],
    ['link-local in prod', ['169.254.0.0/16'], 'prod', '169.254.7.7'],
    ['IPv6 link-local in prod', ['fe80::/10'], 'prod', 'fe80::1'],
    ['metadata in prod, even by its own name', ['169.254.169.254/32'], 'prod', '169.254.169.254'],
    ['metadata outside prod by a network that holds it', ['169.254.0.0/16'], 'nonprod', '169.254.169.254'],
    ['metadata by everything', ['0.0.0.0/0'], 'nonprod', '169.254.169.254'],
    ['the Azure wire server by everything', ['0.0.0.0/0'], 'prod', '168.63.129.16'],
    ['IPv6 metadata by a network', ['fd00::/8'], 'prod', 'fd00:ec2::254'],
    ['the unspecified address', ['0.0.0.0/0', '::/0'], 'nonprod', '0.0.0.0'],
    ['multicast', ['0.0.0.0/0'], 'nonprod', '224.0.0.1'],
    ['broadcast', ['0.0.0.0/0'], 'nonprod', '255.255.255.255'],
    ['a mapped spelling of a listed address', ['127.0.0.0/8'], 'nonprod', '::ffff:127.0.0.1'],
    ['a compatible spelling', ['127.0.0.0/8', '::/0'], 'nonprod', '::127.0.0.1'],
    ['6to4', ['::/0', '0.0.0.0/0'], 'nonprod', '2002:7f00:1::'],
    ['Teredo', ['::/0'], 'nonprod', '2001:0:7f00:1::1'],
    ['ISATAP', ['::/0'], 'nonprod', '2606:4700::5efe:127.0.0.1'],
    ['NAT64 of this network only', ['::/0'], 'nonprod', '64:ff9b:1::1'],
    ['NAT64 with a private address inside', ['64:ff9b::/96'], 'nonprod', '64:ff9b::10.0.0.1'],
    ['NAT64 with metadata inside', ['64:ff9b::/96', '0.0.0.0/0'], 'nonprod', '64:ff9b::169.254.169.254'],
    ['what is no address', ['0.0.0.0/0', '::/0'], 'nonprod', '2130706433'],
  ] as const)('does not open %s', (_, list, environmentClass, address) => {
    expect(buildJudge(list, environmentClass)(address)).toMatch(/not a public address/)
  })
})

describe('a network that translates', () => {
  // RFC 6052 section 2.4: 192.0.2.33 in each length; here 8.8.4.4 and 10.1.2.3, which are 0808:0404 and 0a01:0203.
  it.each([
    ['2001:db8::/32', '2001:db8:808:404::', '2001:db8:a01:203::'],
    ['2001:db8:100::/40', '2001:db8:108:804:4::', '2001:db8:10a:102:3::'],
    ['2001:db8:122::/48', '2001:db8:122:808:4:400::', '2001:db8:122:a01:2:300::'],
    ['2001:db8:122:300::/56', '2001:db8:122:308:8:404::', '2001:db8:122:30a:1:203::'],
    ['2001:db8:122:344::/64', '2001:db8:122:344:8:804:400::', '2001:db8:122:344:a:102:300::'],
    ['2001:db8:122:344::/96', '2001:db8:122:344::808:404', '2001:db8:122:344::a01:203'],
    ['64:ff9b::/96', '64:ff9b::808:404', '64:ff9b::a01:203'],
    ['2400:cb00::/32', '2400:cb00:808:404::', '2400:cb00:a01:203::'],
  ])('by %s is judged by what stands inside', (prefix, outside, inside) => {
    const unwrap = compileNat64([prefix])
    expect(nat64Problem(prefix)).toBeUndefined()
    expect(classifyAddress(outside, unwrap)).toMatchObject({ kind: 'nat64', embedded: '8.8.4.4', translates: true })
    expect(buildJudge([], 'prod', unwrap)(outside)).toBeUndefined()
    expect(buildJudge([], 'prod', unwrap)(inside)).toBe('10.1.2.3 is not a public address (private)')
    expect(buildJudge([prefix, '::/0'], 'prod', unwrap)(inside)).toBe('10.1.2.3 is not a public address (private)')
    expect(buildJudge(['10.0.0.0/8'], 'prod', unwrap)(inside)).toBeUndefined()
  })

  it('opens no metadata and nothing beside its prefix', () => {
    const unwrap = compileNat64(['64:ff9b::/96'])
    expect(buildJudge(['::/0', '0.0.0.0/0'], 'prod', unwrap)('64:ff9b::169.254.169.254')).toMatch(/metadata/)
    expect(buildJudge([], 'prod', unwrap)('64:ff9b:1::808:404')).toMatch(/nat64-local/)
    expect(buildJudge([], 'prod', unwrap)('::ffff:8.8.8.8')).toMatch(/mapped/)
  })
})
