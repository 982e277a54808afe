import { type Case, denied, type Look, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { hostOf, type Part } from './house.ts'
import { request } from './talk.ts'
import { answer } from './vendor.ts'

/** Names whose answers change, and names that stand for others. */
export const rebound = openCatalogue('bound')

const home = '93.184.216.34'
const away = '93.184.216.35'
/** The look-ups of one call: one, and no more. Whoever asks again may hear something else. */
const once: Look = ({ names }) => (names.length === 1 ? [] : [`looked up: ${names.join(', ')}`])
const again: Part = { retry: { attempts: 2, on: ['connect', 'reset', 503], methods: ['GET'], budget: '100%' } }

const thenLoopback = rebound.leading({ turns: [[home], ['127.0.0.1']] })
const thenHome = rebound.leading({ turns: [['127.0.0.1'], [home]] })
const thenMetadata = rebound.leading({ turns: [[home], [home], ['169.254.169.254']] })
const thenMixed = rebound.leading({ turns: [[home], [home, '10.0.0.7']] })
const whileRetried = rebound.leading({ turns: [[home], ['127.0.0.1'], [home]] }, {}, again)
const retriedHome = rebound.leading({ turns: [[home], [away]] }, {}, again)
const afterRefused = rebound.leading({ turns: [[home], ['::1']] }, {}, again)
const kept = rebound.leading({ turns: [[home], ['127.0.0.1']] })
const twice = (name: string) => [request('GET /v1/x', hostOf(name)).replace('connection: close', 'connection: keep-alive') + request('GET /v1/y', hostOf(name))]

export const rebindingControls: readonly Case[] = [
  passes('one look-up for one call', rebound.leading([home]), `${home}:443`, { flaws: once }),
  passes('an answer that moves to another public address, first', retriedHome, `${home}:443, ${away}:443`, {
    asked: ['GET /v1/x', 'GET /v1/x'],
    script: (() => {
      let heard = 0
      return () => (heard++ === 0 ? [] : undefined)
    })(),
  }),
  passes('a name that will move, before it does', thenLoopback, `${home}:443`, { flaws: once }),
]

export const rebindingAttacks: readonly Case[] = [
  denied('loopback on the second look-up', thenLoopback, { flaws: once, why: 'loopback' }),
  denied('loopback on the third', thenLoopback, { flaws: once }),
  denied('loopback first', thenHome, { flaws: once, why: 'loopback' }),
  passes('and a public address after it: a refusal is not kept', thenHome, `${home}:443`, { flaws: once }),
  passes('metadata on the third: the first', thenMetadata, `${home}:443`),
  passes('metadata on the third: the second', thenMetadata, `${home}:443`),
  denied('metadata on the third: the third', thenMetadata, { why: 'metadata' }),
  passes('a bad address that joins a good one: before', thenMixed, `${home}:443`),
  denied('a bad address that joins a good one: after', thenMixed, { why: '10.0.0.7' }),
  {
    name: 'the vendor breaks off, and the retry finds the name moved to loopback',
    to: whileRetried,
    script: () => [],
    ends: '403 address_denied',
    dialled: [`${home}:443`],
    asked: ['GET /v1/x'],
  },
  {
    name: 'the vendor says 503, and the retry finds the name moved to IPv6 loopback',
    to: afterRefused,
    script: () => [answer(503, ['retry-after: 0'])],
    ends: '403 address_denied',
    dialled: [`${home}:443`],
    asked: ['GET /v1/x'],
  },
  {
    name: 'a connection that is kept needs no look-up, and stays with the address that was vetted',
    send: twice(kept),
    script: () => 'stay',
    ends: '200, 200',
    dialled: [`${home}:443`],
    asked: ['GET /v1/x', 'GET /v1/y'],
    flaws: once,
  },
  { name: 'a name that is not there', to: rebound.at('https://gone.vendor.example'), ends: '503 upstream_unavailable' },
  { name: 'a name without an address', to: rebound.leading([]), ends: '503 upstream_unavailable' },
]

const inside: Readonly<Record<string, readonly string[]>> = {
  'db.corp.internal': ['10.0.0.7'],
  localhost: ['127.0.0.1', '::1'],
  'metadata.google.internal': ['169.254.169.254'],
  'kubernetes.default.svc': ['10.96.0.1'],
  'admin.sallyport.internal': ['127.0.0.1'],
  '127.0.0.1.nip.io': ['127.0.0.1'],
  'public.vendor.example': [home],
  'mixed.vendor.example': [home, '192.168.7.7'],
  'six.corp.internal': ['fd12:3456::1'],
}
for (const [name, zone] of Object.entries(inside)) rebound.zone(name, zone)
rebound.zone('hop1.vendor.example', { cname: 'hop2.vendor.example' })
rebound.zone('hop2.vendor.example', { cname: 'db.corp.internal' })
rebound.zone('good1.vendor.example', { cname: 'good2.vendor.example' })
rebound.zone('good2.vendor.example', { cname: 'public.vendor.example' })
rebound.zone('host.docker.internal', ['172.17.0.1'])
rebound.zone('localhost.', ['127.0.0.1'])

const sentTo =
  (name: string): Look =>
  (seen) =>
    seen.heard.flatMap(({ fields, sni }) => {
      const host = fields.find(([field]) => field === 'host')?.[1]
      return host === name && sni === name ? [] : [`Host ${host}, SNI ${sni}`]
    })

export const aliasControls: readonly Case[] = [
  passes('an alias of a public name: Host, SNI and certificate are its own', rebound.at('https://www.vendor.example'), `${home}:443`, {
    flaws: sentTo('www.vendor.example'),
  }),
  passes('an alias of an alias of a public name', rebound.at('https://good1.vendor.example'), `${home}:443`),
  passes('an alias of a private name that is listed', rebound.leading({ cname: 'db.corp.internal' }, { allowAddresses: ['10.0.0.0/24'] }), '10.0.0.7:443'),
  passes('a name in capitals', rebound.at('https://PUBLIC.Vendor.Example'), `${home}:443`, { flaws: sentTo('public.vendor.example') }),
]
rebound.zone('www.vendor.example', { cname: 'public.vendor.example' })

export const aliasAttacks: readonly Case[] = [
  ...Object.keys(inside)
    .filter((name) => !name.startsWith('public'))
    .map((name) => denied(`a public name that stands for ${name}`, rebound.leading({ cname: name }))),
  denied('an alias of an alias', rebound.at('https://hop1.vendor.example'), { why: 'private' }),
  ...['localhost', 'LOCALHOST', '127.0.0.1.nip.io', 'metadata.google.internal', 'kubernetes.default.svc', 'host.docker.internal'].map((name) =>
    denied(`${name} as the target`, rebound.at(`http://${name}`)),
  ),
  { name: 'localhost. as the target', to: rebound.at('http://localhost.'), ends: '503 config_quarantined' },
  {
    name: 'a vendor whose certificate is for another name: nothing is said to it',
    to: rebound.at('https://stranger.other.example'),
    ends: '503 upstream_unavailable',
    dialled: [`${home}:443`],
  },
  {
    name: 'a vendor whose certificate is not of the authority that is trusted',
    to: rebound.at('https://public.vendor.example', { ca: undefined }),
    ends: '503 upstream_unavailable',
    dialled: [`${home}:443`],
  },
  {
    name: 'a certificate for one label, and a name with two',
    to: rebound.at('https://a.b.vendor.example'),
    ends: '503 upstream_unavailable',
    dialled: [`${home}:443`],
  },
]
rebound.zone('stranger.other.example', [home])
rebound.zone('a.b.vendor.example', [home])

const tokens = (tokenUrl: string): Part => ({
  inject: undefined,
  oauth2: { tokenUrl, clientId: 'us', clientSecret: 'env:VENDOR_KEY', ca: 'env:VENDOR_CA' },
})
const grants: Case['script'] = ({ target }) =>
  target === '/token' ? [answer(200, ['content-type: application/json'], '{"access_token":"granted-1","token_type":"Bearer","expires_in":60}')] : undefined
const tokenless = (what: string, tokenUrl: string, more: Partial<Case> = {}): Case => ({
  name: what,
  to: rebound.at('https://public.vendor.example', tokens(tokenUrl)),
  ends: '503 credential_unavailable',
  ...more,
})
rebound.zone('auth.vendor.example', [home])
rebound.zone('alias.vendor.example', { cname: 'metadata.google.internal' })

export const tokenControls: readonly Case[] = [
  {
    name: 'a token endpoint at a public address',
    to: rebound.at('https://public.vendor.example', tokens('https://auth.vendor.example/token')),
    script: grants,
    ends: '200',
    dialled: [`${home}:443`, `${home}:443`],
    flaws: ({ heard }) => (heard.map(({ target }) => target).join() === '/token,/v1/x' ? [] : ['not a token and then the call']),
    asked: ['POST /token grant_type=client_credentials', 'GET /v1/x'],
  },
]

export const tokenAttacks: readonly Case[] = [
  tokenless('a token endpoint on loopback', 'http://127.0.0.1/token'),
  tokenless('on IPv6 loopback', 'http://[::1]/token'),
  tokenless('by the name of this machine', 'http://localhost/token'),
  tokenless('on a private network', 'https://mixed.vendor.example/token'),
  tokenless('behind an alias of metadata', 'https://alias.vendor.example/token'),
  tokenless('that redirects inside: it is not followed', 'https://auth.vendor.example/token', {
    script: () => [answer(307, ['location: http://169.254.169.254/latest/meta-data/'])],
    dialled: [`${home}:443`],
    asked: ['POST /token grant_type=client_credentials'],
  }),
  tokenless('that redirects to another endpoint outside', 'https://auth.vendor.example/token', {
    script: () => [answer(302, ['location: https://public.vendor.example/token'])],
    dialled: [`${home}:443`],
    asked: ['POST /token grant_type=client_credentials'],
  }),
]
