import { records } from '../../support/client-hello.ts'
import type { Case, Look } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import type { Part } from './house.ts'
import { message } from './talk.ts'
import { connect } from './tunnels.ts'

/** Tunnels in which somebody speaks in the clear: what comes are requests to the place that was asked for, each judged by itself. */
export const clear = openCatalogue('clear')

const home = '93.184.216.34'
const web = 'clear.vendor.example'
const bad: Readonly<Record<string, readonly string[]>> = { loopback: ['127.0.0.1'], private: ['10.0.0.7'], metadata: ['169.254.169.254'], mixed: [home, '::1'] }
for (const [name, zone] of Object.entries(bad)) clear.zone(`${name}.worse.example`, zone)
clear.zone('rebound.worse.example', { turns: [[home], ['127.0.0.1']] })
for (const name of [web, 'evil.example', 'open.vendor.example']) clear.zone(name, [home])

const rules: Part = { allow: [{ methods: ['GET', 'POST'], path: '/open/{**}' }] }
const proxy = (target: Part, more: Part) => clear.add({ kind: 'proxy', environments: { dev: target }, ...more })
proxy({ hosts: [web], ports: [80] }, rules)
proxy({ hosts: ['*.worse.example'], ports: [80] }, {})
proxy({ hosts: ['open.vendor.example'], ports: [8080] }, { connect: true, ...rules })

const inner = (line: string, headers: readonly string[] = [], host = web) => message([`${line} HTTP/1.1`, `host: ${host}`, ...headers])
const last = (line: string, headers: readonly string[] = [], host = web) => inner(line, [...headers, 'connection: close'], host)
const namesOnly =
  (host: string): Look =>
  ({ heard }) =>
    heard.flatMap(({ fields }) => (fields.some(([name, value]) => name === 'host' && value === host) ? [] : ['another Host']))

function through(name: string, pieces: readonly string[], ends: string, more: Partial<Case> = {}, target = `${web}:80`): Case {
  return { name, send: [connect(target), ...pieces], ends: `200, ${ends}`, ...more }
}
const one = { dialled: [`${home}:80`], asked: ['GET /open/x'], flaws: namesOnly(web) }

export const clearControls: readonly Case[] = [
  through('a request that is allowed', [last('GET /open/x')], '200', one),
  through('two of them', [inner('GET /open/x') + last('GET /open/y')], '200, 200', {
    dialled: [`${home}:80`, `${home}:80`],
    asked: ['GET /open/x', 'GET /open/y'],
  }),
  through(
    'on another port: what was dialled for the tunnel is let go',
    [last('GET /open/x', [], 'open.vendor.example')],
    '200',
    { dialled: [`${home}:8080`, `${home}:8080`], asked: ['GET /open/x'], flaws: namesOnly('open.vendor.example:8080') },
    'open.vendor.example:8080',
  ),
]

const refused = (name: string, ends: string, line: string, headers: readonly string[] = []) => through(name, [last(line, headers)], ends)

export const clearAttacks: readonly Case[] = [
  through('another Host: the tunnel counts', [last('GET /open/x', [], 'evil.example')], '200', one),
  through('the Host of a service', [last('GET /open/x', [], 'api.internal')], '200', one),
  through('a path that is not allowed behind one that is', [inner('GET /open/x') + last('GET /closed')], '200, 403 egress_denied', one),
  refused('a path that is not allowed', '403 egress_denied', 'GET /closed'),
  refused('a method that is not allowed', '403 egress_denied', 'DELETE /open/x'),
  refused('dots', '400 path_ambiguous', 'GET /open/../closed'),
  refused('another place in absolute-form', '400 host_invalid', 'GET http://evil.example/open/x'),
  refused('the same place in absolute-form', '400 host_invalid', `GET http://${web}/open/x`),
  refused('a place inside in absolute-form', '400 host_invalid', 'GET http://169.254.169.254/'),
  refused('user information', '400 request_invalid', 'GET @evil.example/open/x'),
  refused('a port', '400 request_invalid', 'GET 80@evil.example/'),
  refused('more of the name', '400 request_invalid', 'GET .evil.example/open/x'),
  refused('the whole server', '400 host_invalid', 'OPTIONS *'),
  refused('production, asked for', '403 env_denied', 'GET /open/x', ['x-egress-env: prod']),
  refused('who asks, said again', '400 credential_invalid', 'GET /open/x', ['proxy-authorization: Bearer x']),
  refused('a tunnel in the tunnel', '501 not_implemented', 'CONNECT evil.example:443'),
  refused('an upgrade', '501 not_implemented', 'GET /open/x', ['upgrade: h2c']),
  refused('a length and chunks', '400 request_invalid', 'POST /open/x', ['content-length: 5', 'transfer-encoding: chunked']),
  refused('two Hosts', '400 host_invalid', 'GET /open/x', ['host: evil.example']),
  refused('a Host that is none', '400 host_invalid', 'GET /open/x', ['host: a@b']),
  through('HTTP/2', ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'], '400 request_invalid'),
  through('TLS, where none is spoken', [Buffer.from(records([1, 0, 0, 1, 0])).toString('latin1')], '400 request_invalid'),
  through('SSH', ['SSH-2.0-OpenSSH_9.2\r\n'], '400 request_invalid'),
  ...Object.keys(bad).map((name) => through(`a listed name that leads to ${name}`, [last('GET /x')], '403 address_denied', {}, `${name}.worse.example:80`)),
  through(
    'a name that will move',
    [inner('GET /x') + last('GET /y')],
    '200, 403 address_denied',
    { dialled: [`${home}:80`], asked: ['GET /x'] },
    'rebound.worse.example:80',
  ),
  { name: 'a host that is not listed', send: connect('evil.example:80') + last('GET /open/x'), ends: '403 egress_denied' },
  { name: 'production, asked for by CONNECT', send: connect(`${web}:80`, ['x-egress-env: prod']) + last('GET /open/x'), ends: '403 env_denied' },
]
