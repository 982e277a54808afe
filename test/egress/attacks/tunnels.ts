import { helloMessage, records } from '../../support/client-hello.ts'
import type { Case, Look } from './attack.ts'
import { careless } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, type Part } from './house.ts'
import { over } from './http2.ts'
import { message, request } from './talk.ts'

/** Tunnels: the request says where to, the ClientHello whom for, and nothing goes on before both fit. */
export const tunnelled = openCatalogue('tunnel')

const home = '93.184.216.34'
/** A port on which the world takes bytes and keeps them. */
const port = 9443
const a = 'a.vendor.example'
const opened = [`${home}:${port}`]

const bad: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.1'],
  six: ['::1'],
  private: ['10.0.0.7'],
  metadata: ['169.254.169.254'],
  mixed: [home, '10.0.0.7'],
  mapped: ['::ffff:127.0.0.1'],
  nat64: ['64:ff9b::7f00:1'],
  compatible: ['::7f00:1'],
  number: ['2130706433'],
  production: ['93.184.216.66'],
}
for (const [name, zone] of Object.entries(bad)) tunnelled.zone(`${name}.bad.example`, zone)
for (const name of [a, 'one.wild.vendor.example', 'closed.vendor.example', 'evil.example', 'nobody.vendor.example']) tunnelled.zone(name, [home])
tunnelled.zone('alias.bad.example', { cname: 'private.bad.example' })
tunnelled.zone('rebound.bad.example', { turns: [[home], ['127.0.0.1']] })
tunnelled.zone('api.vendor.example', [home])
tunnelled.zone('ledger.prod.example', ['93.184.216.66'])
tunnelled.zone('live.bad.example', ['93.184.216.67'])

const proxy = (environments: Part, more: Part = {}) => tunnelled.add({ kind: 'proxy', connect: true, environments, ...more })
proxy({
  dev: {
    hosts: [a, '*.wild.vendor.example', '*.bad.example', '93.184.216.80', '[2606:4700::80]', '10.20.0.7'],
    ports: [443, port],
    allowAddresses: ['93.184.216.80', '2606:4700::80', '10.20.0.7'],
  },
})
proxy({ dev: { hosts: ['closed.vendor.example'] } }, { connect: false })
proxy({ dev: { hosts: ['nobody.vendor.example'] } }, { callers: [] })
proxy({ dev: { mode: 'deny' }, prod: { hosts: ['live.bad.example'] } })
tunnelled.add({
  host: 'api.internal',
  environments: { dev: guarded('https://api.vendor.example'), prod: { target: `https://ledger.prod.example:${port}`, guardHosts: ['ledger.prod.example'] } },
})
const ownPort = tunnelled.add({ listen: '127.0.0.1:0', environments: { dev: guarded('https://api.vendor.example') } })

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const helloOf = (name: string) => latin1(records(helloMessage({ names: [[0, name]] })))
const nameless = latin1(records(helloMessage({ names: [] })))
const good = helloOf(a)

/** CONNECT as a careless workload says it. */
export const connect = (target: string, headers: readonly string[] = []) => message([`CONNECT ${target} HTTP/1.1`, `host: ${target}`, ...headers, ...careless])

/** What the target got over the tunnel is this, to the byte. */
const carried =
  (bytes: string): Look =>
  ({ said }) =>
    said.join('|') === bytes ? [] : [`carried: ${Buffer.from(said.join('|'), 'latin1').toString('hex')}`]

function tunnel(name: string, target: string, pieces: readonly string[], more: Partial<Case> = {}): Case {
  const whole = pieces.join('')
  return { name, send: [connect(target), ...pieces], hangsUp: { heard: 'heard' }, ends: '200', dialled: opened, flaws: carried(whole), ...more }
}

export const tunnelControls: readonly Case[] = [
  tunnel('a ClientHello that names the host', `${a}:${port}`, [good]),
  tunnel('in capitals, both', `A.Vendor.Example:${port}`, [helloOf('A.VENDOR.example')]),
  tunnel('a name under a wildcard', `one.wild.vendor.example:${port}`, [helloOf('one.wild.vendor.example')]),
  tunnel('in single bytes', `${a}:${port}`, Array.from(good)),
  tunnel('over records of five bytes', `${a}:${port}`, [latin1(records(helloMessage({ names: [[0, a]] }), 5))]),
  tunnel('and what follows it', `${a}:${port}`, [good, '\u0014\u0003\u0003\u0000\u0001\u0001', 'early data']),
  tunnel('an address that is listed, and no name', `93.184.216.80:${port}`, [nameless], { dialled: [`93.184.216.80:${port}`] }),
  tunnel('an address of IPv6, and no name', `[2606:4700::80]:${port}`, [nameless], { dialled: [`[2606:4700::80]:${port}`] }),
  tunnel('a private address that is listed', `10.20.0.7:${port}`, [nameless], { dialled: [`10.20.0.7:${port}`] }),
]

/** The tunnel stood, was closed, and nothing had gone through it. */
const gated = (name: string, pieces: readonly string[], target = `${a}:${port}`, more: Partial<Case> = {}): Case =>
  tunnel(name, target, pieces, { hangsUp: { heard: '\u0015\u0003\u0003' }, flaws: carried(''), ...more })
const made = (name: string, parts: Parameters<typeof helloMessage>[0], most?: number) => gated(name, [latin1(records(helloMessage(parts), most))])
const named = (name: string, sni: string) => gated(`${name}: ${JSON.stringify(sni)}`, [helloOf(sni)])

/** Elsewhere a letter begins a request in the clear. */
const spokenTls = [`${a}:443`, { dialled: [`${home}:443`] }] as const

export const gateAttacks: readonly Case[] = [
  named('another host', 'evil.example'),
  named('another host that is listed', 'one.wild.vendor.example'),
  named('a host above', 'vendor.example'),
  named('a host below', `x.${a}`),
  named('a host that ends like it', `evil-${a}`),
  named('a host that begins like it', `${a}.evil.example`),
  named('a final dot', `${a}.`),
  named('a wildcard', '*.vendor.example'),
  named('an address', home),
  named('nothing', ''),
  named('a NUL', `${a}\u0000.evil.example`),
  named('a blank', ` ${a}`),
  named('user information', `x@${a}`),
  named('a port', `${a}:443`),
  named('letters beyond ASCII', 'a.v\u00e9ndor.example'),
  named('the Kelvin sign’s bytes', 'a.vendor.examp\u00e2\u0084\u00aae'),
  made('no name', { names: [] }),
  made('no extensions', { bare: true }),
  made('two names', {
    names: [
      [0, a],
      [0, 'evil.example'],
    ],
  }),
  made('the same name twice', {
    names: [
      [0, a],
      [0, a],
    ],
  }),
  made('a name of another type', { names: [[1, a]] }),
  made('two lists of names', { names: [[0, a]], after: [[0, [0, 0]]] }),
  made('another list of names first', { names: [[0, a]], before: [[0, [...Buffer.from([0, 15, 0, 0, 12]), ...Buffer.from('evil.example')]]] }),
  made('bytes behind its extensions', { names: [[0, a]], trailing: [0, 0] }),
  made('the outer name of an encrypted hello', { names: [[0, 'public.evil.example']], after: [[0xfe0d, [0, 0, 1]]] }),
  gated('two hellos in one record', [latin1(records([...helloMessage({ names: [[0, a]] }), ...helloMessage({ names: [[0, 'evil.example']] })]))]),
  gated('another handshake message first', [latin1(records([0, 0, 0, 0, ...helloMessage({ names: [[0, a]] })]))]),
  gated('an empty record first', [`\u0016\u0003\u0001\u0000\u0000${good}`]),
  gated('an alert first', [`\u0015\u0003\u0001\u0000\u0002\u0001\u0000${good}`]),
  gated('a change of ciphers first', [`\u0014\u0003\u0003\u0000\u0001\u0001${good}`]),
  gated('a hello of 17 MiB', ['\u0016\u0003\u0001\u0040\u0000\u0001\u00ff\u00ff\u00ff\u0003\u0003']),
  gated('a hello of SSL 2', ['\u0080\u002e\u0001\u0000\u0002\u0000\u0015\u0000\u0000\u0000\u0010']),
  gated('SSL 3 in its record', [`\u0016\u0002\u0000${good.slice(3)}`]),
  gated('HTTP, where TLS is spoken', ['GET / HTTP/1.1\r\nhost: a.vendor.example\r\n\r\n'], ...spokenTls),
  gated('HTTP of the proxy, where TLS is spoken', [request('GET http://api.internal/v1/x', 'api.internal')], ...spokenTls),
  gated('HTTP/2, where TLS is spoken', ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'], ...spokenTls),
  gated('SSH, where TLS is spoken', ['SSH-2.0-OpenSSH_9.2\r\n'], ...spokenTls),
  gated('SMTP, where TLS is spoken', ['EHLO evil.example\r\n'], ...spokenTls),
  gated('PostgreSQL', ['\u0000\u0000\u0000\u0008\u0004\u00d2\u0016\u002f']),
  gated('the header of the PROXY protocol, where TLS is spoken', [`PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${good}`], ...spokenTls),
  gated('half a hello, and an end', [good.slice(0, -1)], undefined, { hangsUp: 'at once' }),
  gated('one byte of a hello, and an end', ['\u0016'], undefined, { hangsUp: 'at once' }),
  gated('nothing, and an end', [], undefined, { hangsUp: 'at once' }),
  gated('a name where an address was asked for', [good], `93.184.216.80:${port}`, { dialled: [`93.184.216.80:${port}`] }),
  gated('the address as a name', [helloOf('93.184.216.80')], `93.184.216.80:${port}`, { dialled: [`93.184.216.80:${port}`] }),
]

/** Refused, and closed: what was sent behind it is nobody's request, and goes nowhere. */
const smuggled = request('GET http://api.internal/v1/x', 'api.internal')
const refused = (name: string, target: string, ends: string, headers: readonly string[] = [], behind = smuggled): Case => ({
  name: `${name}: ${target}`,
  send: connect(target, headers) + behind,
  ends,
})
const unlisted = (name: string, target: string) => refused(name, target, '403 egress_denied')
const invalid = (name: string, target: string) => refused(name, target, '400 host_invalid')

export const connectControls: readonly Case[] = [
  tunnel('a name that will move, before it does', `rebound.bad.example:${port}`, [helloOf('rebound.bad.example')]),
  {
    name: 'the same service by its name, without a tunnel',
    send: smuggled,
    ends: '200',
    dialled: [`${home}:443`],
    asked: ['GET /v1/x'],
  },
]

export const connectAttacks: readonly Case[] = [
  refused('a name that has moved to loopback', `rebound.bad.example:${port}`, '403 address_denied', [], good),
  ...[...Object.keys(bad), 'alias', 'live'].map((name) =>
    refused(`a listed name that leads to ${name}`, `${name}.bad.example:${port}`, '403 address_denied', [], good),
  ),
  unlisted('a host that is not listed', 'evil.example:443'),
  unlisted('a host that ends like one', `evil-${a}:443`),
  unlisted('a host that begins like one', `${a}.evil.example:443`),
  unlisted('the wildcard’s own base', 'wild.vendor.example:443'),
  unlisted('two labels under a wildcard', 'two.one.wild.vendor.example:443'),
  unlisted('port 22', `${a}:22`),
  unlisted('port 25', `${a}:25`),
  unlisted('port 80, which speaks in the clear', `${a}:80`),
  unlisted('port 5432', `${a}:5432`),
  unlisted('loopback', '127.0.0.1:443'),
  unlisted('loopback, IPv6', '[::1]:443'),
  unlisted('metadata', '169.254.169.254:80'),
  unlisted('mapped metadata', '[::ffff:169.254.169.254]:443'),
  unlisted('a public address that is not listed', `${home}:443`),
  unlisted('localhost', 'localhost:9901'),
  unlisted('the name of a service', 'api.internal:443'),
  unlisted('the vendor of a service', 'api.vendor.example:443'),
  unlisted('production', 'ledger.prod.example:443'),
  unlisted('a host without tunnels', 'closed.vendor.example:443'),
  unlisted('a host that nobody may call', 'nobody.vendor.example:443'),
  invalid('no port', a),
  invalid('an empty port', `${a}:`),
  invalid('port 0', `${a}:0`),
  invalid('port 65536', `${a}:65536`),
  invalid('a port that is none', `${a}:https`),
  invalid('a port with a sign', `${a}:+443`),
  invalid('two ports', `${a}:443:22`),
  invalid('user information', `evil@${a}:443`),
  invalid('a user of the host', `${a}@evil.example:443`),
  invalid('a path', `${a}:443/x`),
  invalid('a path of the machine', '/etc/passwd'),
  invalid('a URL', `http://${a}/`),
  refused('a fragment', `${a}#evil.example:443`, '400 request_invalid'),
  invalid('a query', `${a}?evil.example:443`),
  invalid('an escape', 'a%2evendor.example:443'),
  invalid('a comma', `${a},evil.example:443`),
  invalid('a final dot', `${a}.:443`),
  invalid('octal', '0177.0.0.1:443'),
  invalid('one decimal number', '2130706433:443'),
  invalid('one hexadecimal number', '0x7f000001:443'),
  invalid('two parts', '127.1:443'),
  invalid('IPv6 without brackets', '::1:443'),
  invalid('a zone', '[fe80::1%25eth0]:443'),
  invalid('an asterisk', '*'),
  refused('a body', `${a}:443`, '400 request_invalid', ['content-length: 3'], 'abc'),
  refused('chunks', `${a}:443`, '400 request_invalid', ['transfer-encoding: chunked'], '0\r\n\r\n'),
  refused('two Hosts', `${a}:443`, '400 host_invalid', ['host: evil.example']),
  refused('production, asked for', `${a}:443`, '403 env_denied', ['x-egress-env: prod']),
  refused('an environment twice', `${a}:443`, '400 env_invalid', ['x-egress-env: dev', 'x-egress-env: dev']),
  refused('an environment in another spelling', `${a}:443`, '400 env_invalid', ['x.egress.env: prod']),
  refused('an upgrade', `${a}:443`, '501 not_implemented', ['connection: upgrade', 'upgrade: h2c']),
  {
    name: 'over HTTP/2',
    by: over({ pseudo: { ':method': 'CONNECT', ':authority': `${a}:443`, ':path': undefined, ':scheme': undefined } }),
    ends: '501 not_implemented',
  },
  {
    name: 'over HTTP/2, to a service of its own',
    by: over({ pseudo: { ':method': 'CONNECT', ':authority': 'api.internal', ':path': undefined, ':scheme': undefined } }),
    ends: '501 not_implemented',
  },
  { name: 'no Host', send: message([`CONNECT ${a}:443 HTTP/1.1`]), ends: '400 host_invalid' },
  { name: 'in HTTP/0.9', send: message([`CONNECT ${a}:443`]), ends: '400 request_invalid' },
  { name: 'on the port of a service', at: `egress:${ownPort}`, send: connect(`${a}:443`) + smuggled, ends: '501 not_implemented' },
  {
    name: 'behind a request on the same connection',
    send:
      request('GET http://api.internal/v1/x', 'api.internal').replace('connection: close', 'connection: keep-alive') + connect('evil.example:443') + smuggled,
    ends: '200, 403 egress_denied',
    dialled: [`${home}:443`],
    asked: ['GET /v1/x'],
  },
]
