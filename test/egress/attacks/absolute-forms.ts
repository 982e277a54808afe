import { type Case, type Look, passes } from './attack.ts'
import { mesh, own } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, type Part } from './house.ts'
import { over } from './http2.ts'
import { message, request } from './talk.ts'

/** The forward proxy in absolute-form: the request itself says where it wants to go. */
export const absolute = openCatalogue('absolute')

const home = '93.184.216.34'
export const proxyListener: Part = { egress: { address: '127.0.0.1:0', proxy: true } }
const inDev = (target: Part, service: Part = {}) => absolute.add({ kind: 'proxy', environments: { dev: target }, ...service })

const bad: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.1'],
  six: ['::1'],
  private: ['10.0.0.7'],
  metadata: ['169.254.169.254'],
  mixed: [home, '10.0.0.7'],
  mapped: ['::ffff:127.0.0.1'],
  octal: ['0177.0.0.1'],
  production: ['93.184.216.66'],
}
for (const [name, zone] of Object.entries(bad)) absolute.zone(`${name}.bad.example`, zone)
for (const name of [
  'web.vendor.example',
  'one.wild.vendor.example',
  'moved.vendor.example',
  'two.labels.wild.vendor.example',
  'evil.example',
  'nobody.vendor.example',
  'rules.vendor.example',
]) {
  absolute.zone(name, [home])
}
absolute.zone('alias.bad.example', { cname: 'private.bad.example' })
absolute.zone('rebound.bad.example', { turns: [[home], ['127.0.0.1']] })
absolute.zone('api.vendor.example', [home])
absolute.zone('ledger.prod.example', ['93.184.216.66'])
absolute.zone('live.bad.example', ['93.184.216.67'])

inDev({
  hosts: ['web.vendor.example', '*.wild.vendor.example', '*.bad.example', '93.184.216.80', '10.20.0.7'],
  ports: [80, 8080, 443],
  allowAddresses: ['93.184.216.80', '10.20.0.7'],
})
inDev({ hosts: ['ledger.prod.example'], ports: [80] })
inDev({ hosts: ['rules.vendor.example'], ports: [80] }, { allow: [{ methods: ['GET'], path: '/open/{**}' }] })
inDev({ hosts: ['nobody.vendor.example'], ports: [80] }, { callers: [] })
absolute.add({ kind: 'proxy', environments: { prod: { hosts: ['live.bad.example'] }, dev: { mode: 'deny' } } })
absolute.add({
  host: 'api.internal',
  environments: { dev: guarded('https://api.vendor.example'), prod: { target: 'https://ledger.prod.example', guardHosts: ['ledger.prod.example'] } },
})
const ownPort = absolute.add({ listen: '127.0.0.1:0', environments: { dev: guarded('https://api.vendor.example') } })

/** What a careful caller sends; its own credentials pass to the host that it names. */
const asks = (line: string, host: string, headers: readonly string[] = []) => message([`${line} HTTP/1.1`, `host: ${host}`, ...headers, 'connection: close'])

const to = (name: string, line: string, asked: string, more: Partial<Case> = {}, host = 'web.vendor.example', headers: readonly string[] = []): Case =>
  passes(name, '', `${home}:80`, { send: asks(line, host, headers), asked: [asked], ...more })

const vendorSees =
  (...lines: readonly string[]): Look =>
  ({ heard }) => {
    const fields = (heard[0]?.fields ?? []).map(([name, value]) => `${name}: ${value}`).filter((line) => line !== 'connection: keep-alive')
    return fields.toSorted().join(' | ') === lines.toSorted().join(' | ') ? [] : [`fields: ${fields.join(' | ')}`]
  }

export const absoluteControls: readonly Case[] = [
  to('a host that is listed', 'GET http://web.vendor.example/v1/x?a=1', 'GET /v1/x?a=1', { flaws: vendorSees('host: web.vendor.example') }),
  to('in capitals', 'GET HTTP://WEB.Vendor.Example/v1/x', 'GET /v1/x', { flaws: vendorSees('host: web.vendor.example') }),
  to('with its port', 'GET http://web.vendor.example:80/v1/x', 'GET /v1/x', { flaws: vendorSees('host: web.vendor.example') }),
  to('with another port that is listed', 'GET http://web.vendor.example:8080/v1/x', 'GET /v1/x', {
    dialled: [`${home}:8080`],
    flaws: vendorSees('host: web.vendor.example:8080'),
  }),
  to('without a path', 'GET http://web.vendor.example', 'GET /'),
  to('a name under a wildcard', 'GET http://one.wild.vendor.example/v1/x', 'GET /v1/x'),
  to('what a rule allows', 'GET http://rules.vendor.example/open/x', 'GET /open/x'),
  to('an address that is listed', 'GET http://10.20.0.7/v1/x', 'GET /v1/x', { dialled: ['10.20.0.7:80'] }),
  to('a service of its own, as if by its name: with its credential', 'GET http://api.internal/v1/x', 'GET /v1/x', {
    dialled: [`${home}:443`],
    flaws: ({ heard }) => (heard[0]?.fields.some(([name]) => name === 'authorization') === true ? [] : ['without its credential']),
  }),
  to(
    'a credential of the caller for whom it names, and nothing of the mesh',
    'GET http://web.vendor.example/v1/x',
    'GET /v1/x',
    { flaws: vendorSees('host: web.vendor.example', 'authorization: Bearer for-the-web') },
    'x',
    [
      'authorization: Bearer for-the-web',
      `proxy-authorization: Bearer ${own}`,
      'proxy-connection: keep-alive',
      `baggage: ${mesh}`,
      `x-forwarded-client-cert: ${mesh}`,
    ],
  ),
]

const refused = (name: string, line: string, ends: string, host = 'web.vendor.example', headers: readonly string[] = []): Case => ({
  name: `${name}: ${line}`,
  send: asks(line, host, headers),
  ends,
})
const unlisted = (name: string, url: string) => refused(name, `GET ${url}`, '403 egress_denied')
const invalid = (name: string, url: string) => refused(name, `GET ${url}`, '400 host_invalid')
const malformed = (name: string, url: string) => refused(name, `GET ${url}`, '400 request_invalid')
const denied = (name: string, url: string) => refused(name, `GET ${url}`, '403 address_denied')

export const absoluteAttacks: readonly Case[] = [
  unlisted('a host that is not listed', 'http://evil.example/'),
  unlisted('a host that ends like one', 'http://evil-web.vendor.example/'),
  unlisted('a host that begins like one', 'http://web.vendor.example.evil.example/'),
  unlisted('the wildcard’s own base', 'http://wild.vendor.example/'),
  unlisted('two labels under a wildcard', 'http://two.labels.wild.vendor.example/'),
  unlisted('a port that is not listed', 'http://web.vendor.example:22/'),
  unlisted('another port of databases', 'http://web.vendor.example:5432/'),
  unlisted('the port of TLS in clear text', 'http://web.vendor.example:443/'),
  unlisted('loopback', 'http://127.0.0.1/'),
  unlisted('loopback, IPv6', 'http://[::1]/'),
  unlisted('metadata', 'http://169.254.169.254/latest/meta-data/'),
  unlisted('mapped metadata', 'http://[::ffff:169.254.169.254]/'),
  unlisted('a public address that is not listed', 'http://93.184.216.34/'),
  unlisted('localhost', 'http://localhost/'),
  unlisted('the name of the admin listener', 'http://localhost:9901/'),
  unlisted('a service that nobody may call', 'http://nobody.vendor.example/'),
  unlisted('the vendor of a service', 'http://api.vendor.example/'),
  unlisted('what a rule does not allow', 'http://rules.vendor.example/closed'),
  refused('another method than a rule allows', 'POST http://rules.vendor.example/open/x', '403 egress_denied'),
  ...['private', 'loopback', 'six', 'metadata', 'mixed', 'mapped', 'octal', 'production', 'alias'].map((name) =>
    denied(`a listed name that leads to ${name}`, `http://${name}.bad.example/`),
  ),
  refused('the name of production, listed', 'GET http://ledger.prod.example/', '503 config_quarantined'),
  denied('a name of production under a wildcard', 'http://live.bad.example/'),
  to('a name that will move, before it does', 'GET http://rebound.bad.example/v1/x', 'GET /v1/x'),
  denied('a name that has moved to loopback', 'http://rebound.bad.example/v1/x'),
  invalid('user information', 'http://web.vendor.example@evil.example/'),
  invalid('a user of the host that is listed', 'http://evil@web.vendor.example/'),
  malformed('a backslash', 'http://web.vendor.example\\@evil.example/'),
  invalid('an escape', 'http://web%2evendor.example/'),
  invalid('a comma', 'http://web.vendor.example,evil.example/'),
  invalid('a final dot', 'http://web.vendor.example./'),
  invalid('octal', 'http://0177.0.0.1/'),
  invalid('one decimal number', 'http://2130706433/'),
  invalid('one hexadecimal number', 'http://0x7f000001/'),
  invalid('two parts', 'http://127.1/'),
  invalid('two ports', 'http://web.vendor.example:80:22/'),
  invalid('a port that is none', 'http://web.vendor.example:http/'),
  invalid('port 0', 'http://web.vendor.example:0/'),
  invalid('port 65536', 'http://web.vendor.example:65536/'),
  invalid('no host', 'http:///v1/x'),
  invalid('a zone', 'http://[fe80::1%25eth0]/'),
  malformed('https', 'https://web.vendor.example/'),
  malformed('ftp', 'ftp://web.vendor.example/'),
  malformed('gopher', 'gopher://web.vendor.example/'),
  malformed('file', 'file:///etc/passwd'),
  malformed('one slash', 'http:/web.vendor.example/'),
  malformed('no slash', 'http:web.vendor.example/'),
  malformed('no scheme', 'web.vendor.example/v1/x'),
  malformed('a query that is none', 'http://web.vendor.example/v1/x?a=\u00e9'),
  refused('dots', 'GET http://web.vendor.example/a/../b', '400 path_ambiguous'),
  refused('two slashes', 'GET http://web.vendor.example//evil.example/', '400 path_ambiguous'),
  refused('a fragment', 'GET http://web.vendor.example/v1/x#y', '400 path_ambiguous'),
  malformed('a fragment for an authority', 'http://web.vendor.example#@evil.example/'),
  refused('an asterisk', 'OPTIONS *', '400 request_invalid'),
  refused('production, asked for', 'GET http://web.vendor.example/v1/x', '403 env_denied', 'web.vendor.example', ['x-egress-env: prod']),
  refused('two Hosts', 'GET http://web.vendor.example/v1/x', '400 host_invalid', 'web.vendor.example', ['host: evil.example']),
  refused('a Host that is none', 'GET http://web.vendor.example/v1/x', '400 host_invalid', 'a@b'),
  refused('a length and chunks', 'POST http://web.vendor.example/v1/x', '400 request_invalid', 'x', ['content-length: 5', 'transfer-encoding: chunked']),
  refused('an upgrade', 'GET http://web.vendor.example/v1/x', '501 not_implemented', 'x', ['upgrade: websocket']),
  to(
    'a Host that names a service: the target counts, and no credential is added',
    'GET http://web.vendor.example/v1/x',
    'GET /v1/x',
    { flaws: vendorSees('host: web.vendor.example') },
    'api.internal',
  ),
  {
    ...to('a redirect to a closed address is passed on', 'GET http://web.vendor.example/v1/x', 'GET /v1/x'),
    ends: '302',
    script: () => ['HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n'],
  },
  { name: 'over HTTP/2', by: over({ pseudo: { ':path': 'http://web.vendor.example/', ':authority': 'web.vendor.example' } }), ends: 'reset 1' },
  { name: 'over HTTP/2, by its name alone', by: over({ pseudo: { ':authority': 'web.vendor.example' } }), ends: '404 service_unknown' },
  { name: 'by its name alone', send: asks('GET /v1/x', 'web.vendor.example'), ends: '404 service_unknown' },
  {
    name: 'the port of a service is no proxy',
    at: `egress:${ownPort}`,
    send: request('GET http://web.vendor.example/v1/x', 'web.vendor.example'),
    ends: '400 request_invalid',
  },
]
