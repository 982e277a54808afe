import type { Case, Look } from './attack.ts'
import { granted, own, secret } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { hostOf, type Part } from './house.ts'
import { base64, hex, spellings } from './spellings.ts'
import { request } from './talk.ts'
import { answer, type Script } from './vendor.ts'

/** Vendors that say again what they were sent, in the spellings that programs use. */
export const echoing = openCatalogue('echo')

const home = '93.184.216.34'
const masked: Part = { mask: { responses: true } }
const zone = [home]
const bearer = echoing.leading(zone, {}, masked)
const plain = echoing.leading(zone)
const keyed = echoing.leading(zone, { inject: { header: 'x-vendor-key', format: '{secret}', secret: 'env:VENDOR_KEY' } }, masked)
const queried = echoing.leading(zone, { inject: { query: 'api_key', secret: 'env:VENDOR_KEY' } }, masked)
const basic = echoing.leading(zone, { inject: undefined, basic: { username: 'shop', password: 'env:VENDOR_KEY' } }, masked)
const signed = echoing.leading(zone, { inject: undefined, hmac: { secret: 'env:VENDOR_KEY', message: '{method}{path}', header: 'x-signature' } }, masked)
echoing.zone('auth.vendor.example', zone)
const granting = () =>
  echoing.leading(
    zone,
    { inject: undefined, oauth2: { tokenUrl: 'https://auth.vendor.example/token', clientId: 'us', clientSecret: 'env:VENDOR_KEY', ca: 'env:VENDOR_CA' } },
    masked,
  )

const grants = granting()
const left: Look = ({ text }) => (text.includes('before') && text.includes('after') ? [] : ['what stood around it is gone'])

function echo(name: string, to: string, script: Script, more: Partial<Case> = {}): Case {
  return { name, to, script, ends: '200', dialled: [`${home}:443`], asked: ['GET /v1/x'], flaws: left, ...more }
}

const inBody = (text: string) => [answer(200, ['content-type: text/plain'], `before ${text} after`)]
const inHeader = (text: string) => [answer(200, [`x-echo: before ${text} after`])]
const inChunks = (text: string) => {
  const whole = `before ${text} after`
  const pieces = Array.from({ length: Math.ceil(whole.length / 3) }, (_, i) => whole.slice(i * 3, i * 3 + 3))
  return ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', ...pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`), '0\r\n\r\n']
}

export const echoControls: readonly Case[] = [
  echo('what is no secret stands as it is', bearer, () => inBody('Bearer something-else'), {
    flaws: ({ text }) => (text.includes('Bearer something-else') ? [] : ['was masked']),
  }),
  echo('a body that nobody asked to mask shows it, and the scan sees that', plain, () => inBody(secret), { shows: ['secret, plain'] }),
  echo('in hexadecimal too', plain, () => inBody(hex(secret)), { shows: ['secret, hexadecimal'] }),
  echo('in base64 too', plain, () => inBody(base64(`ab${secret}`)), { shows: ['secret, base64 at 2'] }),
  echo('in JSON too', plain, () => inBody(JSON.stringify(secret)), { shows: ['secret, JSON'] }),
  echo('in percent escapes too', plain, () => inBody(encodeURIComponent(secret)), { shows: ['secret, percent-encoded where needed'] }),
]

/** Sends what it was sent in this field. */
const returned =
  (field: string): Script =>
  ({ fields }) =>
    inBody(fields.find(([name]) => name === field)?.[1] ?? 'it was not sent')

export const echoAttacks: readonly Case[] = [
  ...spellings.map(([name, write]) => echo(`in a header: ${name}`, plain, () => inHeader(write(secret)))),
  ...spellings.map(([name, write]) => echo(`in a body: ${name}`, bearer, () => inBody(write(secret)))),
  ...spellings.map(([name, write]) => echo(`in chunks of three: ${name}`, bearer, () => inChunks(write(secret)))),
  ...[1, 5, 13, 20, 40].map((at) =>
    echo(`in two pieces, cut at ${at}`, bearer, () => {
      const [whole = ''] = inBody(base64(`ab${secret}`))
      const cut = whole.indexOf('before') + 7 + at
      return [whole.slice(0, cut), whole.slice(cut)]
    }),
  ),
  echo('a vendor’s own header, as it was sent', keyed, returned('x-vendor-key')),
  echo('HTTP Basic, as it was sent', basic, returned('authorization')),
  echo('HTTP Basic, the password alone', basic, () => inBody(secret)),
  echo('the query, as it was sent', queried, ({ target }) => inBody(target), { asked: [`GET /v1/x?api_key=${encodeURIComponent(secret)}`] }),
  echo('the query, decoded', queried, ({ target }) => inBody(decodeURIComponent(target)), { asked: [`GET /v1/x?api_key=${encodeURIComponent(secret)}`] }),
  echo('a link with the query', queried, ({ target }) => [answer(200, [`link: <https://echo.vendor.example${target}>; rel=next`], 'before after')], {
    asked: [`GET /v1/x?api_key=${encodeURIComponent(secret)}`],
  }),
  echo('the key of an HMAC', signed, () => inBody(secret)),
  echo(
    'in an error',
    bearer,
    () => [answer(401, [`www-authenticate: Bearer error_description="${encodeURIComponent(secret)} before after"`], `no: ${secret}`)],
    { ends: '401' },
  ),
  echo('in a cookie', bearer, () => [answer(200, [`set-cookie: k=${encodeURIComponent(secret)}`], 'before after')]),
  echo('in a trailer', bearer, () => [`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nc\r\nbefore after\r\n0\r\nx-echo: ${base64(secret)}\r\n\r\n`], {
    send: request('GET /v1/x', hostOf(bearer), ['te: trailers']),
  }),
  echo('in the reason phrase', bearer, () => [`HTTP/1.1 200 ${secret.replaceAll('"', '')} ${hex(secret)}\r\ncontent-length: 12\r\n\r\nbefore after`]),
  echo('in an interim answer', bearer, () => [`HTTP/1.1 103 Early Hints\r\nx-echo: ${base64(secret)}\r\n\r\n`, ...inBody('')]),
  echo('in the name of a header', bearer, () => [answer(200, [`x-${hex(secret)}: 1`], 'before after')]),
  echo('in a member of JSON', bearer, () => [answer(200, ['content-type: application/json'], JSON.stringify({ before: { k: [secret] }, after: 1 }))]),
  echo('in the name of a member', bearer, () => [answer(200, ['content-type: application/json'], JSON.stringify({ before: 1, [secret]: 1, after: 1 }))]),
  echo('in an event stream', bearer, () => ['HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n', `data: before ${secret}\n\n`, 'data: after\n\n']),
  echo('in a body that is coded although it was not asked for so', bearer, () => [answer(200, ['content-encoding: gzip'], 'before after')], {
    ends: '502 upstream_protocol',
    flaws: () => [],
  }),
  echo(
    'in a part: nobody is asked for one',
    bearer,
    ({ fields }) => inBody(fields.some(([name]) => name === 'range' || name === 'if-range') ? secret : 'whole'),
    {
      send: request('GET /v1/x', hostOf(bearer), ['range: bytes=0-4', 'if-range: "x"', 'accept-encoding: gzip, br']),
      flaws: ({ heard }) =>
        heard[0]?.fields.some(([name, value]) => name === 'accept-encoding' && value === 'identity') === true ? [] : ['codings were asked for'],
    },
  ),
]

const tokenAnswer = (status: number, body: object) => [answer(status, ['content-type: application/json'], JSON.stringify(body))]
const grant: Script = ({ target }) => (target === '/token' ? tokenAnswer(200, { access_token: granted, token_type: 'Bearer', expires_in: 600 }) : undefined)
const token = (name: string, more: Partial<Case>): Case => ({
  name,
  to: grants,
  ends: '200',
  dialled: [`${home}:443`],
  asked: ['GET /v1/x'],
  flaws: left,
  ...more,
})

export const tokenEchoes: readonly Case[] = [
  {
    ...token('a token endpoint that says the client secret in its refusal', {
      to: granting(),
      script: () => tokenAnswer(400, { error: 'invalid_client', error_description: `${secret} is wrong`, secret, own }),
      ends: '503 credential_unavailable',
      flaws: () => [],
    }),
    asked: ['POST /token grant_type=client_credentials'],
  },
  {
    ...token('a token that no header can carry', {
      to: granting(),
      script: () => tokenAnswer(200, { access_token: `${granted}\r\nx: y`, token_type: 'Bearer' }),
      ends: '503 credential_unavailable',
      flaws: () => [],
    }),
    asked: ['POST /token grant_type=client_credentials'],
  },
  token('a granted token, the first time', {
    script: (heard) => grant(heard) ?? inBody(granted),
    dialled: [`${home}:443`, `${home}:443`],
    asked: ['POST /token grant_type=client_credentials', 'GET /v1/x'],
  }),
  ...spellings.map(([name, write]) => token(`a granted token, ${name}`, { script: () => inBody(write(granted)) })),
]
