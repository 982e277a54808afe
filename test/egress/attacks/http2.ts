import { type Frame, fieldBlock, speakFrames } from '../../support/h2-frames.ts'
import type { Case } from './attack.ts'
import { mesh, own } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, hostOf } from './house.ts'
import { plainAnswer } from './vendor.ts'

/** The same ways in over HTTP/2 in clear text. */
export const multiplexed = openCatalogue('h2')

const home = '93.184.216.34'
multiplexed.zone('h2.vendor.example', [home])
multiplexed.zone('inside.vendor.example', ['10.0.0.7'])
const to = multiplexed.add({ environments: { dev: guarded('https://h2.vendor.example') }, allow: [{ methods: ['GET', 'POST'], path: '/v1/{**}' }] })
const inside = multiplexed.add({ environments: { dev: guarded('https://inside.vendor.example') } })
const ownPort = multiplexed.add({ listen: '127.0.0.1:0', environments: { dev: guarded('https://h2.vendor.example') } })

const careless = [
  ['authorization', `Bearer ${own}`],
  ['cookie', `session=${own}`],
  ['x-api-key', own],
  ['baggage', `mesh=${mesh}`],
  ['x-forwarded-client-cert', mesh],
] as const

type Field = readonly [name: string, value: string]

/** A stream as no client library would send it. */
interface Stream {
  /** In place of, or beside, a GET of /v1/x to the service; undefined takes one away. */
  readonly pseudo?: Readonly<Record<string, string | undefined>>
  readonly fields?: readonly Field[]
  readonly body?: string
}

const endStream = 1
const endHeaders = 4

function framesOf({ pseudo = {}, fields = [], body }: Stream): readonly Frame[] {
  const method = body === undefined ? 'GET' : 'POST'
  const all = Object.entries({ ':method': method, ':scheme': 'http', ':authority': hostOf(to), ':path': '/v1/x', ...pseudo })
  const said = all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  const payload = fieldBlock([...said, ...careless, ...fields])
  if (body === undefined) return [{ type: 'headers', flags: endStream | endHeaders, stream: 1, payload }]
  return [
    { type: 'headers', flags: endHeaders, stream: 1, payload },
    { type: 'data', flags: endStream, stream: 1, payload: Buffer.from(body) },
  ]
}

/** Status and code of a refusal, or how the stream or the connection ended: a stream error is 1 (RFC 9113 section 8.1.1). */
export const over =
  (stream: Stream): NonNullable<Case['by']> =>
  async (port) => {
    const end = await speakFrames(port, framesOf(stream))
    if (end.kind !== 'answer') return { text: '', bytes: '', ends: end.kind === 'closed' ? 'closed' : `${end.kind} ${end.error}` }
    const [, status, code] = /"status":(\d+).*"code":"(\w+)"/.exec(end.body) ?? []
    return { text: end.body, bytes: end.body, ends: end.body === plainAnswer ? '200' : `${status} ${code}` }
  }

const passes = (name: string, stream: Stream, asked: string, more: Partial<Case> = {}): Case => ({
  name,
  by: over(stream),
  ends: '200',
  dialled: [`${home}:443`],
  asked: [asked],
  ...more,
})
const refused = (name: string, stream: Stream, ends: string, more: Partial<Case> = {}): Case => ({ name, by: over(stream), ends, ...more })
const path = (name: string, value: string, ends: string) => refused(name, { pseudo: { ':path': value } }, ends)
const field = (name: string, ends: string, ...fields: readonly Field[]) => refused(name, { fields }, ends)
const malformed = 'reset 1'

export const http2Controls: readonly Case[] = [
  passes('a GET', {}, 'GET /v1/x'),
  passes('a POST with a body', { body: 'a=1' }, 'POST /v1/x a=1'),
  passes('a Host that agrees', { fields: [['host', hostOf(to)]] }, 'GET /v1/x'),
  passes('its own port', { pseudo: { ':authority': 'anything.example' } }, 'GET /v1/x', { at: `egress:${ownPort}` }),
]

export const http2Attacks: readonly Case[] = [
  refused('a name that leads inside', { pseudo: { ':authority': hostOf(inside) } }, '403 address_denied'),
  refused('another name', { pseudo: { ':authority': 'h2.vendor.example' } }, '404 service_unknown'),
  refused('its own port, and the name of another service', {}, '403 egress_denied', { at: `egress:${ownPort}` }),
  refused('a Host that differs', { fields: [['host', hostOf(inside)]] }, '400 host_invalid'),
  refused('user information', { pseudo: { ':authority': `x@${hostOf(to)}` } }, malformed),
  refused('an empty name', { pseudo: { ':authority': '' } }, malformed),
  refused('no name', { pseudo: { ':authority': undefined } }, malformed),
  refused('a method that is not allowed', { pseudo: { ':method': 'DELETE' } }, '403 egress_denied'),
  refused('a method override', { pseudo: { ':method': 'DELETE' }, fields: [['x-http-method-override', 'GET']] }, '403 egress_denied'),
  refused('CONNECT', { pseudo: { ':method': 'CONNECT', ':authority': '10.0.0.7:443', ':path': undefined, ':scheme': undefined } }, '501 not_implemented'),
  refused('CONNECT for a protocol', { pseudo: { ':method': 'CONNECT', ':protocol': 'websocket' } }, malformed),
  refused('TRACE', { pseudo: { ':method': 'TRACE' } }, '501 not_implemented'),
  passes('another scheme, which is not heard', { pseudo: { ':scheme': 'file' } }, 'GET /v1/x'),
  path('absolute-form', 'http://10.0.0.7/v1/x', malformed),
  path('the authority of somebody else', '//10.0.0.7/v1/x', '400 path_ambiguous'),
  path('dots', '/v1/../admin', '400 path_ambiguous'),
  path('an encoded slash', '/v1/x%2f..%2fy', '400 path_ambiguous'),
  path('a path that is not allowed', '/v2/x', '403 egress_denied'),
  path('no slash', 'v1/x', malformed),
  path('a line end', '/v1/x\r\nhost: evil.example', malformed),
  field('prod, asked for', '403 env_denied', ['x-egress-env', 'prod']),
  field('an environment twice', '400 env_invalid', ['x-egress-env', 'dev'], ['x-egress-env', 'prod']),
  field('an environment in another spelling', '400 env_invalid', ['x.egress.env', 'prod']),
  field('an environment with a blank', '400 request_invalid', ['x-egress-env', ' dev']),
  field('a coding of transfers', malformed, ['transfer-encoding', 'chunked']),
  field('an option of connections', malformed, ['connection', 'x-egress-env']),
  field('an upgrade', malformed, ['upgrade', 'h2c']),
  field('a te that is not for it', malformed, ['te', 'gzip']),
  field('a length and no body', malformed, ['content-length', '5']),
  // The transport takes away what no field can hold (RFC 9113 section 8.2.1); nothing of it goes on.
  ...['b\r\nx-egress-env: prod', 'b\u0000', 'b\nc'].map((value) =>
    passes(`a value of ${JSON.stringify(value)}, without it`, { fields: [['x-a', value]] }, 'GET /v1/x', {
      flaws: ({ heard }) => (heard[0]?.fields.some(([name]) => name === 'x-a') === true ? ['the vendor gets it'] : []),
    }),
  ),
  field('a name in capitals', malformed, ['X-Egress-Env', 'prod']),
  field('a name with "_"', '400 request_invalid', ['x_egress_env', 'prod']),
  field('two credentials', '400 credential_invalid', ['authorization', 'Bearer x']),
  field('an announced trailer', '400 request_invalid', ['trailer', 'x-end']),
]
