import { type Case, denied, type Look, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'

/** Literal addresses as targets: a resolver is never asked, so a guard that sits in a look-up would not be either. */
export const spellings = openCatalogue('literal')

/** What the loader does not take for an address, nor for a name: the service is out of order. */
const quarantined = (what: string, host: string): Case => ({
  name: `${what}: ${host}`,
  to: spellings.at(`http://${host}`),
  ends: '503 config_quarantined',
})
const literal = (what: string, host: string, why: string) => denied(`${what}: ${host}`, spellings.at(`http://${host}`), { why, flaws: unasked })
const unasked: Look = ({ names }) => names.map((name) => `${name} was looked up`)

export const spelledControls: readonly Case[] = [
  passes('a public address', spellings.at('http://93.184.216.34'), '93.184.216.34:80', { flaws: unasked }),
  passes('a public address on another port', spellings.at('http://93.184.216.34:8080'), '93.184.216.34:8080'),
  passes('a public address, IPv6', spellings.at('http://[2606:4700:4700::1111]'), '[2606:4700:4700::1111]:80'),
  passes('the same written out', spellings.at('http://[2606:4700:4700:0:0:0:0:1111]'), '[2606:4700:4700::1111]:80'),
  passes('a listed private address', spellings.at('http://10.0.0.7', { allowAddresses: ['10.0.0.0/24'] }), '10.0.0.7:80'),
  passes('listed loopback', spellings.at('http://127.0.0.1', { allowAddresses: ['127.0.0.1'] }), '127.0.0.1:80'),
  passes('a listed private address, IPv6', spellings.at('http://[fd12::7]', { allowAddresses: ['fd12::/64'] }), '[fd12::7]:80'),
  passes('link-local, listed, in nonprod', spellings.at('http://169.254.7.7', { allowAddresses: ['169.254.7.0/24'] }), '169.254.7.7:80'),
  passes(
    'metadata by an entry of its own, in nonprod',
    spellings.at('http://169.254.169.254', { allowAddresses: ['169.254.169.254/32'] }),
    '169.254.169.254:80',
  ),
  passes('NAT64 of a public address, listed', spellings.at('http://[64:ff9b::808:808]', { allowAddresses: ['64:ff9b::/96'] }), '[64:ff9b::808:808]:80'),
]

const listed = (what: string, host: string, allowAddresses: readonly string[]) =>
  denied(`${what}: ${host} with ${allowAddresses.join(', ')} listed`, spellings.at(`http://${host}`, { allowAddresses }))

export const spelledAttacks: readonly Case[] = [
  literal('loopback', '127.0.0.1', 'loopback'),
  literal('another loopback', '127.8.9.10', 'loopback'),
  literal('a private network', '10.0.0.7', 'private'),
  literal('metadata', '169.254.169.254', 'metadata'),
  literal('the wire server', '168.63.129.16', 'metadata'),
  literal('this host', '0.0.0.0', 'unspecified'),
  literal('everybody', '255.255.255.255', 'broadcast'),
  literal('loopback, IPv6', '[::1]', 'loopback'),
  literal('loopback, written out', '[0:0:0:0:0:0:0:1]', 'loopback'),
  literal('the unspecified address', '[::]', 'unspecified'),
  literal('IPv4-compatible', '[::7f00:1]', 'compatible'),
  literal('unique local', '[fd00::1]', 'private'),
  literal('metadata, IPv6', '[fd00:ec2::254]', 'metadata'),
  literal('NAT64', '[64:ff9b::7f00:1]', 'nat64'),
  literal('6to4', '[2002:7f00:1::]', '6to4'),
  literal('Teredo', '[2001:0:7f00:1::1]', 'teredo'),
  literal('ISATAP', '[2606:4700::5efe:7f00:1]', 'isatap'),
  quarantined('octal', '0177.0.0.1'),
  quarantined('octal', '010.0.0.1'),
  quarantined('one decimal number', '2130706433'),
  quarantined('one hexadecimal number', '0x7f000001'),
  quarantined('hexadecimal parts', '0x7f.0.0.1'),
  quarantined('two parts', '127.1'),
  quarantined('three parts', '127.0.1'),
  quarantined('five parts', '127.0.0.0.1'),
  quarantined('a number too large', '127.0.0.256'),
  quarantined('full-width digits', '１２７.0.0.1'),
  quarantined('an ideographic full stop', '127。0。0。1'),
  quarantined('an escape', '%31%32%37.0.0.1'),
  quarantined('a zone', '[fe80::1%25eth0]'),
  quarantined('user information', 'api.vendor.example@127.0.0.1'),
  quarantined('a password', 'a:b@127.0.0.1'),
  quarantined('an address of the future', '[v1.x]'),
  quarantined('no brackets', '::1'),
  quarantined('two ports', '127.0.0.1:80:443'),
  quarantined('a backslash', '127.0.0.1\\.vendor.example'),
  quarantined('a port too large', '93.184.216.34:65616'),
  listed('beside the network', '10.0.1.7', ['10.0.0.0/24']),
  listed('metadata in a network', '169.254.169.254', ['169.254.0.0/16']),
  listed('metadata in everything', '169.254.169.254', ['0.0.0.0/0']),
  listed('the wire server in everything', '168.63.129.16', ['0.0.0.0/0']),
  listed('metadata of IPv6 in its network', '[fd00:ec2::254]', ['fd00::/8']),
  listed('the unspecified address in everything', '0.0.0.0', ['0.0.0.0/0']),
  listed('a group in everything', '224.0.0.1', ['0.0.0.0/0']),
  listed('everybody in everything', '255.255.255.255', ['0.0.0.0/0']),
  listed('6to4 in everything', '[2002:7f00:1::]', ['::/0']),
  listed('Teredo in everything', '[2001:0:7f00:1::1]', ['::/0']),
  listed('IPv4-compatible in everything', '[::7f00:1]', ['::/0']),
  listed('a local NAT64 prefix in everything', '[64:ff9b:1::7f00:1]', ['::/0']),
  listed('ISATAP in everything', '[2606:4700::5efe:7f00:1]', ['::/0']),
  listed('NAT64 of loopback where the network translates', '[64:ff9b::7f00:1]', ['64:ff9b::/96']),
  listed('IPv4 loopback by a list of IPv6', '127.0.0.1', ['::1', '::/0']),
  {
    name: 'mapped loopback, that the loader reads as IPv4',
    to: spellings.at('http://[::ffff:127.0.0.1]'),
    ends: '403 address_denied',
  },
]
