import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Case } from './attack.ts'
import { secret } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { hostOf, type Part, workload } from './house.ts'
import { message, request } from './talk.ts'
import { answer, type Script } from './vendor.ts'

/** Answers that are stored, and everybody who must not get them. */
export const storing = openCatalogue('store')

/** Where a key is that changes. Whoever opens the house takes it away. */
export const keys = mkdtempSync(join(tmpdir(), 'attack-keys-'))
const keyFile = join(keys, 'key')
const turnKey = (value: string) => writeFileSync(keyFile, value)
turnKey('key-1')

const home = '93.184.216.34'
for (const name of ['news.vendor.example', 'auth.vendor.example']) storing.zone(name, [home])
const target: Part = { target: 'https://news.vendor.example', ca: 'env:VENDOR_CA' }
const keyed: Part = { inject: { header: 'x-api-key', format: '{secret}', secret: 'env:VENDOR_KEY' } }

export const storeCallers: Readonly<Record<string, Part>> = {
  [workload]: { listener: 'egress', mayChooseEnv: ['test'] },
  lane: { listener: 'egress:news' },
  second: { listener: 'egress:vending' },
}
export const fixedStores: Readonly<Record<string, Part>> = {
  news: {
    listen: '127.0.0.1:0',
    host: 'news.internal',
    callers: ['lane', workload],
    cache: { maxEntry: '4KiB' },
    mask: { responses: true },
    environments: { dev: { ...target, ...keyed }, test: target },
  },
  twin: { host: 'twin.internal', callers: [workload], cache: {}, environments: { dev: { ...target, ...keyed } } },
  turning: {
    host: 'turning.internal',
    callers: [workload],
    cache: {},
    environments: { dev: { ...target, inject: { header: 'x-api-key', format: '{secret}', secret: `file:${keyFile}` } } },
  },
  exchanging: {
    host: 'exchanging.internal',
    callers: [workload],
    cache: {},
    environments: {
      dev: { ...target, exchange: { tokenUrl: 'https://auth.vendor.example/token', clientId: 'us', clientSecret: 'env:EXCHANGE_SECRET', ca: 'env:VENDOR_CA' } },
    },
  },
  vending: {
    listen: '127.0.0.1:0',
    host: 'vending.internal',
    callers: ['second', workload],
    environments: {
      dev: {
        ...target,
        oauth2: { tokenUrl: 'https://auth.vendor.example/token', clientId: 'us', clientSecret: 'env:VEND_SECRET', ca: 'env:VENDOR_CA' },
        vend: { callers: [workload] },
      },
      test: { ...target, oauth2: { tokenUrl: 'https://auth.vendor.example/token', clientId: 'us', clientSecret: 'env:VEND_TEST_SECRET', ca: 'env:VENDOR_CA' } },
    },
  },
}
export const storeVariables: Readonly<Record<string, string>> = {
  EXCHANGE_SECRET: 'of-exchange',
  VEND_SECRET: 'of-vending',
  VEND_TEST_SECRET: 'of-vending-in-test',
}

/** Every answer is another one, and may be stored for ten minutes. */
let nth = 0
const fresh = ['cache-control: max-age=600', 'content-type: text/plain']
const numbered =
  (headers: readonly string[] = fresh): Script =>
  () => {
    nth += 1
    return [answer(200, headers, `answer ${nth}\n`)]
  }
const exchanged: Script = (heard) =>
  heard.target === '/token'
    ? [
        answer(
          200,
          ['content-type: application/json'],
          '{"access_token":"for-one","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","expires_in":600}',
        ),
      ]
    : numbered()(heard)

/** RFC 8693 section 2.1, as a form. */
const grantOf = (token: string) =>
  new URLSearchParams({
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  }).toString()

interface Ask {
  readonly to?: string
  readonly at?: string
  readonly line?: string
  readonly headers?: readonly string[]
  readonly body?: string
  /** Done before it is sent. */
  readonly before?: () => void
  /** The caller's own token, and nothing else of its own. */
  readonly token?: string
}

let pairs = 0
/** A call that is stored, and a second one: of the same resource, unless it says otherwise. */
function pair(
  name: string,
  hit: boolean,
  first: Ask,
  second: Ask,
  { script = numbered(), more = {} }: { readonly script?: Script; readonly more?: Partial<Case> } = {},
): readonly Case[] {
  pairs += 1
  const path = `/c/${pairs}`
  const written = ({ line = 'GET {}', body = '' }: Ask) => `${line.replace('{}', path)} ${body}`.trimEnd()
  const one = (ask: Ask, rest: Partial<Case>): Case => ({
    name: `${name}: ${ask === first ? 'the first' : 'the second'}`,
    ...(ask.at !== undefined && { at: ask.at }),
    send: () => {
      ask.before?.()
      const line = (ask.line ?? 'GET {}').replace('{}', path)
      const host = hostOf(ask.to ?? 'news')
      if (ask.token !== undefined) return message([`${line} HTTP/1.1`, `host: ${host}`, `authorization: Bearer ${ask.token}`, 'connection: close'])
      return request(line, host, ask.headers, ask.body)
    },
    script,
    ends: '200',
    ...rest,
  })
  const calls = (list: readonly string[]) => ({ asked: list, dialled: list.map(() => `${home}:443`) })
  const granted = ({ token }: Ask) => (token === undefined ? [] : [`POST /token ${grantOf(token)}`])
  return [one(first, calls([...granted(first), written(first)])), one(second, { ...calls(hit ? [] : [...granted(second), written(second)]), ...more })]
}
const hits = (name: string, second: Ask, first: Ask = {}, more: Parameters<typeof pair>[4] = {}) => pair(name, true, first, second, more)
const misses = (name: string, second: Ask, first: Ask = {}, more: Parameters<typeof pair>[4] = {}) => pair(name, false, first, second, more)

/** What the vendor says keeps the answer out of the store, or makes it old at once. */
const notStored = (name: string, ...headers: readonly string[]) => misses(name, {}, {}, { script: numbered(headers) })

export const storeControls: readonly Case[] = [
  ...hits('the same call again', {}),
  ...hits('by another program', { headers: ['user-agent: other/1'] }),
  ...hits('HEAD', { line: 'HEAD {}' }),
  ...hits('with another spelling of the same path', { line: 'GET {}%78' }, { line: 'GET {}x' }),
  ...hits('through its own port', { at: 'egress:news' }, { at: 'egress:news' }),
  ...hits('private answers', {}, {}, { script: numbered(['cache-control: private, max-age=600']) }),
  ...hits('with the same key', { to: 'turning' }, { to: 'turning' }),
]

export const storeAttacks: readonly Case[] = [
  ...misses('another caller', { at: 'egress:news' }),
  ...misses('another environment', { headers: ['x-egress-env: test'] }),
  ...misses('another service at the same vendor', { to: 'twin' }),
  ...misses('another key of the same reference', { to: 'turning', before: () => turnKey('key-2') }, { to: 'turning', before: () => turnKey('key-1') }),
  ...misses('another query', { line: 'GET {}?a=1' }),
  ...misses('the same parameters in another order', { line: 'GET {}?b=1&a=1' }, { line: 'GET {}?a=1&b=1' }),
  ...misses('a slash at the end', { line: 'GET {}/' }),
  ...misses('another case', { line: 'GET {}/X' }, { line: 'GET {}/x' }),
  ...['accept: text/html', 'accept-language: de', 'x-tenant: b', 'x-vendor-session: b', 'origin: https://evil.example', 'idempotency-key: b'].flatMap((line) =>
    misses(`another ${line.split(':')[0]}, whatever Vary says`, { headers: [line] }, { headers: [line.replace(/: .*/, ': a')] }),
  ),
  ...misses('another coding, where one may be asked for', { to: 'twin', headers: ['accept-encoding: br'] }, { to: 'twin', headers: ['accept-encoding: gzip'] }),
  ...hits('another coding, where none is asked for', { headers: ['accept-encoding: br'] }, { headers: ['accept-encoding: gzip'] }),
  ...misses('a header that was not there before', { headers: ['x-tenant: b'] }),
  ...misses('one that is gone', {}, { headers: ['x-tenant: b'] }),
  ...misses('POST', { line: 'POST {}', body: 'a=1' }),
  ...misses('DELETE', { line: 'DELETE {}' }),
  ...misses('a method of the vendor’s own', { line: 'PURGE {}' }),
  ...misses('GET with a body', { body: 'a=1' }),
  ...misses('a part of it', { headers: ['range: bytes=0-4'] }, {}, { more: { flaws: () => [] } }),
  ...misses('who wants it as it is now', { headers: ['cache-control: no-cache'] }),
  ...misses('who wants nothing stored', { headers: ['cache-control: no-store'] }),
  ...misses('after a call that wanted nothing stored', {}, { headers: ['cache-control: no-store'] }),
  ...notStored('a cookie', ...fresh, 'set-cookie: session=of-the-first'),
  ...notStored('no-store', 'cache-control: no-store, max-age=600'),
  ...notStored('no-cache', 'cache-control: no-cache, max-age=600'),
  ...notStored('no word of how long'),
  ...notStored('a time for others', 'cache-control: s-maxage=600'),
  ...notStored('an age beyond it', ...fresh, 'age: 601'),
  ...notStored('a time that is none', 'cache-control: max-age=-1'),
  ...notStored('a time in quotes within a comment', 'cache-control: x="max-age=600"'),
  ...notStored('two times that differ', 'cache-control: max-age=600', 'cache-control: max-age=0'),
  ...notStored('Vary: *', ...fresh, 'vary: *'),
  ...notStored('an end long ago', 'expires: Thu, 01 Jan 1970 00:00:00 GMT'),
  ...notStored('an end that is none', 'expires: 0'),
  ...notStored('a stream of events', 'cache-control: max-age=600', 'content-type: text/event-stream'),
  ...misses('a body that is too long', {}, {}, { script: () => [answer(200, fresh, 'x'.repeat(5_000))] }),
  ...misses(
    'a body that broke off',
    {},
    {},
    { script: () => [`HTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`] },
  ),
  ...misses('a failure', {}, {}, { script: () => [answer(503, fresh, 'no')], more: { ends: '503' } }).map((one) => ({ ...one, ends: '503' })),
  ...misses('a part, though the whole was asked for', {}, {}, { script: () => [answer(206, [...fresh, 'content-range: bytes 0-1/9'], 'he')] }).map((one) => ({
    ...one,
    ends: '206',
  })),
  ...misses('another’s own token', { to: 'exchanging', token: 'of-b' }, { to: 'exchanging', token: 'of-a' }, { script: exchanged }),
]

const hidden = (text: string) => text.includes('before') && text.includes('after')
/** What is stored was masked before, and belongs to its own call. */
export const storedSecrets: readonly Case[] = ['the first', 'the second'].map((which) => ({
  name: `an answer that says the key again: ${which}`,
  send: request('GET /echo', 'news.internal'),
  script: () => [answer(200, [...fresh, `x-echo: ${encodeURIComponent(secret)}`, 'x-egress-env: prod'], `before ${secret} after`)],
  ends: '200',
  ...(which === 'the first' && { dialled: [`${home}:443`], asked: ['GET /echo'] }),
  flaws: ({ text }) => [...(hidden(text) ? [] : ['what stood around it is gone']), ...(text.includes('x-egress-env: dev\r\n') ? [] : ['not in our name'])],
}))
