import { issuerDouble } from '../../support/issuer.ts'
import type { Case, Look } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, hostOf, type Part, workload } from './house.ts'
import { message } from './talk.ts'
import { issuer } from './world.ts'

/** Who calls, where a token says so. */
export const called = openCatalogue('called')

const home = '93.184.216.34'
called.zone('called.vendor.example', [home])
const jobs = called.add({ callers: ['nightly'], environments: { dev: guarded('https://called.vendor.example') } })
const others = called.add({ callers: ['daily'], environments: { dev: guarded('https://called.vendor.example') } })

const cluster = await issuerDouble(() => Date.now(), issuer, 'cluster')
const stranger = await issuerDouble(() => Date.now(), issuer, 'cluster')
export const keySet = cluster.jwks()
export const callerSections: Part = {
  issuers: { cluster: { issuer, jwks: issuer, audiences: [cluster.audience], algorithms: ['ES256'], tokenTypes: ['at+jwt'] } },
}
export const tokenCallers: Readonly<Record<string, Part>> = {
  nightly: { token: { issuer: 'cluster', claims: { sub: 'nightly' } } },
  daily: { token: { issuer: 'cluster', claims: { sub: 'daily' } } },
  [workload]: { listener: 'egress', token: { issuer: 'cluster', claims: { sub: 'workload' } } },
}

const seconds = Math.floor(Date.now() / 1000)
const good = await cluster.token({ sub: 'nightly' })
const basic = (token: string, user = 'x') => `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`
const flipped = `${good.slice(0, -2)}${good.endsWith('A') ? 'B' : 'A'}A`
const bare = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${good.split('.')[1]}.`

const tokens = [good, good.split('.')[2] ?? '', flipped]
/** A token for the ambassador is for nobody else. */
const unsaid: Look = ({ heard, house }) => [
  ...(tokens.some((token) => JSON.stringify(heard).includes(token)) ? ['the vendor gets the token'] : []),
  ...(tokens.some((token) => JSON.stringify(house.gateway.journal).includes(token)) ? ['the record holds the token'] : []),
]

const call = (name: string, headers: readonly string[], ends: string, more: Partial<Case> = {}, to = jobs): Case => ({
  name,
  send: message(['GET /v1/x HTTP/1.1', `host: ${hostOf(to)}`, ...headers, 'connection: close']),
  ends,
  flaws: unsaid,
  ...more,
})
const passes = (name: string, ...headers: readonly string[]) => call(name, headers, '200', { dialled: [`${home}:443`], asked: ['GET /v1/x'] })
const nobody = (name: string, ...headers: readonly string[]) => call(name, headers, '403 caller_unknown')
const bad = (name: string, token: string) => nobody(name, `proxy-authorization: Bearer ${token}`)

export const callerControls: readonly Case[] = [
  passes('a token for the ambassador', `proxy-authorization: Bearer ${good}`),
  passes('as the password of a proxy', `proxy-authorization: ${basic(good)}`),
  passes('in the one header that there is', `authorization: Bearer ${good}`),
  passes('named by Connection, for it is for this hop', `proxy-authorization: Bearer ${good}`, 'connection: proxy-authorization'),
  passes('beside a credential of its own, that goes nowhere', `proxy-authorization: Bearer ${good}`, 'authorization: Bearer of-its-own'),
]

export const callerAttacks: readonly Case[] = [
  nobody('no token'),
  nobody('a name in a header', 'x-caller: nightly', 'x-egress-caller: nightly', 'x-spiffe-id: spiffe://corp/nightly'),
  nobody('a certificate in a header', 'x-forwarded-client-cert: URI=spiffe://corp/nightly'),
  nobody('the token in a cookie', `cookie: token=${good}`),
  nobody('the token in another header', `x-authorization: Bearer ${good}`),
  nobody('the token as a user name', `proxy-authorization: ${basic('', good)}`),
  nobody('a password that is no token', `proxy-authorization: ${basic('nightly')}`),
  nobody('another scheme', `proxy-authorization: DPoP ${good}`),
  bad('nothing', ''),
  bad('what is no token', 'nightly'),
  bad('a token without an algorithm', bare),
  bad('a token with another signature', flipped),
  bad('a token without its signature', `${good.split('.').slice(0, 2).join('.')}.`),
  bad('a token of a stranger with the same name', await stranger.token({ sub: 'nightly' })),
  bad('a token of another issuer', await cluster.token({ sub: 'nightly', iss: 'https://evil.example' })),
  bad('a token for another audience', await cluster.token({ sub: 'nightly', aud: 'https://evil.example' })),
  bad('a token that is over', await cluster.token({ sub: 'nightly', iat: seconds - 900, exp: seconds - 600 })),
  bad('a token of tomorrow', await cluster.token({ sub: 'nightly', nbf: seconds + 86_400, exp: seconds + 90_000 })),
  bad('a token without an end', await cluster.token({ sub: 'nightly', exp: undefined })),
  bad('a token of another type', await cluster.token({ sub: 'nightly' }, { header: { typ: 'id+jwt' } })),
  bad('a token of nobody who is known', await cluster.token({ sub: 'root' })),
  bad('a token of somebody with a like name', await cluster.token({ sub: 'Nightly' })),
  bad('a token of several', await cluster.token({ sub: ['nightly'] })),
  bad('a token that is bound to a key', await cluster.token({ sub: 'nightly', cnf: { jkt: 'x' } })),
  nobody('a bad token, and a good one behind it', `proxy-authorization: Bearer ${flipped}`, `authorization: Bearer ${good}`),
  call('two tokens', [`proxy-authorization: Bearer ${good}`, `proxy-authorization: Bearer ${flipped}`], '400 credential_invalid'),
  call('the token of another caller', [`proxy-authorization: Bearer ${good}`], '403 egress_denied', {}, others),
]
