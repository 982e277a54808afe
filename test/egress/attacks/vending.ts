import type { Case } from './attack.ts'
import { granted } from './canaries.ts'
import { message } from './talk.ts'
import { answer, type Script } from './vendor.ts'

/*
 * The one credential that workloads may have: handed out to those who are listed, and mean it. Services and callers stand with the stores.
 */

const home = '93.184.216.34'

const grants: Script = ({ target: asked }) =>
  asked === '/token'
    ? [answer(200, ['content-type: application/json'], JSON.stringify({ access_token: granted, token_type: 'Bearer', expires_in: 600 }))]
    : undefined

interface Fetch {
  readonly at?: string
  readonly line?: string
  readonly host?: string
  readonly headers?: readonly string[]
  readonly body?: string
}

const means = 'x-egress-vend: true'
const path = '/.sallyport/credentials'
function fetches(
  name: string,
  ends: string,
  { at, line = `GET ${path}`, host = 'vending.internal', headers = [means], body = '' }: Fetch,
  more: Partial<Case> = {},
): Case {
  return {
    name,
    ...(at !== undefined && { at }),
    send: message([`${line} HTTP/1.1`, `host: ${host}`, ...headers, 'connection: close'], body),
    script: grants,
    ends,
    ...more,
  }
}
const refuses = (name: string, fetch: Fetch, ends = '403 egress_denied') => fetches(name, ends, fetch)
const handed = { shows: ['granted, plain', 'granted, JSON'] }

export const vendControls: readonly Case[] = [
  fetches('a caller that is listed and means it', '200', {}, { ...handed, dialled: [`${home}:443`], asked: ['POST /token grant_type=client_credentials'] }),
  fetches('again, and nobody is asked', '200', {}, handed),
  fetches('as the SDKs of AWS say it', '200', { headers: ['authorization: x-egress-vend'] }, handed),
]

export const vendAttacks: readonly Case[] = [
  refuses('a caller that is not listed', { at: 'egress:vending' }),
  refuses('an environment that hands out nothing', { headers: [means, 'x-egress-env: test'] }),
  refuses('an environment of prod', { headers: [means, 'x-egress-env: prod'] }, '403 env_denied'),
  refuses('a service that hands out nothing', { host: 'twin.internal' }),
  refuses('a name that is not the service’s', { host: 'evil.example' }, '404 service_unknown'),
  refuses('nobody who means it', { headers: [] }),
  ...[
    'x-egress-vend: false',
    'x-egress-vend: TRUE',
    'x-egress-vend: 1',
    'x-egress-vend:',
    'authorization: Bearer x-egress-vend',
    'authorization: x-egress-vend2',
  ].map((line) => refuses(line, { headers: [line] })),
  refuses('twice', { headers: [means, means] }),
  ...[
    'origin: https://evil.example',
    'referer: https://evil.example/',
    'cookie: a=1',
    'sec-ch-ua: x',
    'sec-fetch-site: same-origin',
    'via: 1.1 proxy',
    'forwarded: for=10.0.0.7',
    'x-forwarded-for: 10.0.0.7',
    'x-forwarded-host: vending.internal',
  ].map((line) => refuses(line, { headers: [means, line] })),
  refuses('POST', { line: `POST ${path}` }, '405 method_not_allowed'),
  refuses('HEAD', { line: `HEAD ${path}` }, '405'),
  refuses('with a query', { line: `GET ${path}?x=1` }),
  refuses('with a body', { headers: [means, 'content-length: 1'], body: 'x' }),
  ...['/.sallyport/credentials/', '/.sallyport/credentials/x'].map((under) => refuses(`${under}, under it`, { line: `GET ${under}` })),
  ...['/.sallyport/Credentials', '/x/.sallyport/credentials', '/.sallyport'].map((other) =>
    fetches(`${other} is not the place`, '200', { line: `GET ${other}` }, { dialled: [`${home}:443`], asked: [`GET ${other}`] }),
  ),
  refuses('an escape of it', { line: 'GET /%2esallyport/credentials', headers: [] }),
  refuses('dots before it', { line: `GET /x/..${path}` }, '400 path_ambiguous'),
]
