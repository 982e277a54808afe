import { badAddresses } from './address-kinds.ts'
import type { Case, Look } from './attack.ts'
import { own } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import type { Part } from './house.ts'

/** TCP services: nothing in their bytes says who asks or what for, so all is said by where they come in. */
export const carried = openCatalogue('tcp')

const home = '93.184.216.34'
export const streamCallers: Readonly<Record<string, Part>> = {
  late: { listener: 'egress:late', environment: 'prod' },
}

function stream(target: string, more: Part = {}, service: Part = {}): string {
  return carried.add({ kind: 'tcp', listen: '127.0.0.1:0', environments: { dev: { target, ...more } }, ...service })
}

let zones = 0
function leading(zone: Parameters<typeof carried.zone>[1], more: Part = {}, port = 5432): string {
  zones += 1
  const host = `db${zones}.vendor.example`
  carried.zone(host, zone)
  return stream(`${host}:${port}`, more)
}

const hello = 'hello'

function passes(name: string, to: string, address: string, more: Partial<Case> = {}): Case {
  const said: Look = ({ said }) => (said.join() === hello ? [] : [`bytes: ${said.join()}`])
  return { name, at: `egress:${to}`, send: hello, hangsUp: 'at once', ends: `heard ${hello.length}`, dialled: [address], flaws: said, ...more }
}

/** Reset before a byte went anywhere, and recorded as this. */
function refused(name: string, to: string, outcome: string, why = '', more: Partial<Case> = {}): Case {
  return {
    name,
    at: `egress:${to}`,
    send: `secret ${own}`,
    ends: 'closed',
    flaws: async ({ house, said }) => {
      const { outcome: found, reason } = await house.gateway.entry((record) => record['kind'] === 'stream' && record['service'] === to)
      const recorded = JSON.stringify([found, reason ?? ''])
      return [
        ...(found === outcome && recorded.includes(why) ? [] : [`recorded: ${recorded}, not ${outcome} (${why})`]),
        ...said.map((bytes) => `bytes: ${bytes}`),
      ]
    },
    ...more,
  }
}
const denied = (name: string, to: string, why = '') => refused(name, to, 'address_denied', why)

const moving = leading({ turns: [[home], ['127.0.0.1'], [home, '10.0.0.7']] })
const secured = leading([home], { tls: 'verify-full', ca: 'env:VENDOR_CA' }, 8443)
const http = 'GET /v1/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'

export const streamControls: readonly Case[] = [
  passes('a public address', leading([home]), `${home}:5432`),
  passes('an address that is listed', leading(['10.20.0.7'], { allowAddresses: ['10.20.0.0/24'] }), '10.20.0.7:5432'),
  passes('a literal address', stream(`${home}:5432`), `${home}:5432`),
  passes('an alias of a public name', leading({ cname: 'public.vendor.example' }), `${home}:5432`),
  passes('a name that will move, before it does', moving, `${home}:5432`),
  passes('TLS to the name that is meant', secured, `${home}:8443`, {
    send: http,
    ends: '200',
    asked: ['GET /v1/x'],
    flaws: ({ heard }) => (heard[0]?.sni?.startsWith('db') === true ? [] : ['another name in the ClientHello']),
  }),
]

const oneOfEach = [...new Map(badAddresses.map((bad) => [bad[2], bad])).values()]

export const streamAttacks: readonly Case[] = [
  ...oneOfEach.map(([what, address, kind]) => denied(`${what}: ${address}`, leading([address]), kind)),
  denied('a bad address behind a good one', leading([home, '10.0.0.7']), '10.0.0.7'),
  denied('a bad address before a good one', leading(['10.0.0.7', home]), '10.0.0.7'),
  denied('beside the list', leading(['10.20.1.7'], { allowAddresses: ['10.20.0.0/24'] })),
  denied('metadata in a list', leading(['169.254.169.254'], { allowAddresses: ['169.254.0.0/16'] })),
  denied('an alias of a name inside', leading({ cname: 'inside.corp.internal' })),
  denied('a literal address', stream('127.0.0.1:5432'), 'loopback'),
  denied('a literal address, IPv6', stream('[::1]:5432'), 'loopback'),
  { ...refused('a name that has moved to loopback', moving, ''), flaws: ({ said }) => said.map((bytes) => `bytes: ${bytes}`) },
  { ...refused('and now has a bad address among its good ones', moving, ''), flaws: ({ said }) => said.map((bytes) => `bytes: ${bytes}`) },
  denied('another name for the address of production', leading(['93.184.216.66']), 'is production'),
  denied('the address of production', stream('93.184.216.66:5432'), 'is production'),
  refused('the name of production', stream('ledger.prod.example:5432'), 'config_quarantined'),
  refused(
    'a service that lives in prod alone',
    carried.add({ kind: 'tcp', listen: '127.0.0.1:0', environments: { prod: { target: 'ledger.prod.example:5432', tls: 'verify-full' } } }),
    'no_target_for_env',
  ),
  refused(
    'a service that is denied here',
    carried.add({ kind: 'tcp', listen: '127.0.0.1:0', environments: { dev: { mode: 'deny', reason: 'closed' } } }),
    'egress_denied',
  ),
  refused('a service that nobody may call', stream(`${home}:5432`, {}, { callers: [] }), 'egress_denied'),
  refused('a caller whose environment is prod', 'late', 'env_denied'),
  refused('a name that is not there', stream('gone.vendor.example:5432'), 'upstream_unavailable'),
  refused('octal', stream('0177.0.0.1:5432'), 'config_quarantined'),
  refused('user information', stream('db@127.0.0.1:5432'), 'config_quarantined'),
  refused('no port', stream('public.vendor.example'), 'config_quarantined'),
  refused('port 0', stream('public.vendor.example:0'), 'config_quarantined'),
  refused(
    'TLS to a vendor with a certificate for another name',
    stream('stranger.other.example:8443', { tls: 'verify-full', ca: 'env:VENDOR_CA' }),
    'upstream_unavailable',
    '',
    { dialled: [`${home}:8443`] },
  ),
  refused('TLS to a vendor of an authority that nobody trusts', leading([home], { tls: 'verify-full' }, 8443), 'upstream_unavailable', '', {
    dialled: [`${home}:8443`],
  }),
  refused('TLS to a vendor that does not speak it', leading([home], { tls: 'verify-full', ca: 'env:VENDOR_CA' }, 8080), 'upstream_unavailable', '', {
    dialled: [`${home}:8080`],
  }),
  { name: 'a host in the bytes leads nowhere else', ...httpOver('GET http://169.254.169.254/ HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n') },
  { name: 'CONNECT in the bytes leads nowhere else', ...httpOver('CONNECT 10.0.0.7:22 HTTP/1.1\r\n\r\n') },
  { name: 'the header of the PROXY protocol changes nobody', ...httpOver('PROXY TCP4 10.0.0.7 10.0.0.8 1 2\r\n') },
]

/** Bytes that look like something are bytes. */
function httpOver(bytes: string): Omit<Case, 'name'> {
  const to = leading([home])
  return passes('', to, `${home}:5432`, { send: bytes, ends: `heard ${bytes.length}`, flaws: ({ said }) => (said.join() === bytes ? [] : ['other bytes']) })
}

for (const [name, zone] of Object.entries({
  'public.vendor.example': [home],
  'inside.corp.internal': ['10.0.0.7'],
  'ledger.prod.example': ['93.184.216.66'],
  'stranger.other.example': [home],
})) {
  carried.zone(name, zone)
}

/** Services with names and callers of their own. */
export const fixedStreams: Readonly<Record<string, Part>> = {
  late: { kind: 'tcp', listen: '127.0.0.1:0', callers: ['late'], environments: { dev: { target: 'public.vendor.example:5432' } } },
  ledger: { kind: 'tcp', listen: '127.0.0.1:0', environments: { prod: { target: 'ledger.prod.example:5432', tls: 'verify-full' } } },
}
