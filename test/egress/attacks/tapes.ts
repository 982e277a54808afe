import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Case, Look } from './attack.ts'
import { leaksTo, own, secret } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { hostOf, type Part } from './house.ts'
import { spellings } from './spellings.ts'
import { request } from './talk.ts'
import { answer, type Script } from './vendor.ts'

/** What is recorded in test and replayed in dev. */
export const taped = openCatalogue('tape', 'test')

/** Where cassettes are. Whoever opens the house takes it away. */
export const folder = mkdtempSync(join(tmpdir(), 'attack-cassettes-'))

mkdirSync(join(folder, 'broken'))
writeFileSync(join(folder, 'broken', '00001-get-v1-x.json'), '{"cassette":"v1",')

const home = '93.184.216.34'
const json = ['content-type: application/json']

/** A service that records in test and replays in dev, each into a cassette of its own. */
function tape(name: string, match: Part = {}, more: Part = {}): string {
  taped.zone(`${name}.vendor.example`, [home])
  const target: Part = {
    target: `https://${name}.vendor.example`,
    ca: 'env:VENDOR_CA',
    inject: { header: 'authorization', format: 'Bearer {secret}', secret: 'env:VENDOR_KEY' },
  }
  return taped.add({
    environments: { test: { mode: 'record', cassette: name, match, ...target }, dev: { mode: 'replay', cassette: name, match } },
    ...more,
  })
}

/** Every cassette as it stands; leaks, and files that others may read. */
async function flawsOfTape(name: string, count: number): Promise<readonly string[]> {
  const at = join(folder, name)
  const files = await readdir(at).catch(() => [])
  const flaws = await Promise.all(
    files.map(async (file) => {
      const mode = (await stat(join(at, file))).mode & 0o777
      const text = await readFile(join(at, file), 'latin1')
      const leaks = leaksTo.record(text)
      // Stars are for the caller, who gets a body of the same length.
      const stars = text.includes('"text": "before **') ? [`${file} was masked for the caller`] : []
      return [...stars, ...leaks.map((leak) => `${file} holds ${leak}`), ...(mode === 0o600 ? [] : [`${file} has mode ${mode.toString(8)}`])]
    }),
  )
  return [...flaws.flat(), ...(files.length === count ? [] : [`${files.length} files, not ${count}`])]
}

const test = ['x-egress-env: test']
interface Asked {
  readonly line?: string
  readonly headers?: readonly string[]
  readonly body?: string
}

function recorded(name: string, to: string, script: Script, { line = 'GET /v1/x', headers = [], body = '' }: Asked, more: Partial<Case>): Case {
  const asked = [`${line} ${body}`.trimEnd()]
  return { name, send: request(line, hostOf(to), [...test, ...headers], body), script, ends: '200', dialled: [`${home}:443`], asked, ...more }
}

const talkative = tape('talkative', {}, { mask: { responses: true } })
let count = 0
/** One more interaction in the cassette, and all of it clean. */
const written = (name: string, script: Script, asked: Asked = {}, shows: readonly string[] = []): Case => {
  count += 1
  const so = count
  return recorded(name, talkative, script, asked, { flaws: () => flawsOfTape('talkative', so), shows })
}

export const recordControls: readonly Case[] = [written('an answer without a secret is written', () => [answer(200, json, '{"ok":true}')])]

const nested = (text: string) => JSON.stringify({ before: { list: [text], [`k${text}`]: 1 }, after: 1 })

export const recordAttacks: readonly Case[] = [
  ...spellings.map(([name, write]) => written(`in a text: ${name}`, () => [answer(200, ['content-type: text/plain'], `before ${write(secret)} after`)])),
  ...spellings.map(([name, write]) => written(`in JSON: ${name}`, () => [answer(200, json, nested(write(secret)))])),
  ...spellings.slice(0, 8).map(([name, write]) => written(`in a header: ${name}`, () => [answer(200, [`x-echo: ${write(secret)}`])])),
  written('in bytes that are no text', () => [answer(200, ['content-type: application/octet-stream'], `\u0000\u00ff${secret}\u0000`)]),
  written('a cookie', () => [answer(200, [`set-cookie: session=${encodeURIComponent(own)}`])], {}, ['own, percent-encoded where needed']),
  written('the caller’s own credential, in an answer', () => [answer(200, json, JSON.stringify({ you: own }))], {}, ['own, JSON']),
  written('members that are named like credentials', () => [answer(200, json, '{"access_token":"short","nested":{"client_secret":"s3","password":"p"}}')]),
  written('the caller’s own credential in its body', () => undefined, {
    line: 'POST /v1/x',
    headers: json,
    body: JSON.stringify({ token: 'secret-of-mine', note: 'x' }),
  }),
]

const pay = tape('pay', { headers: ['x-tenant'] })
const loose = tape('loose', { body: false })
const first: Asked = { line: 'POST /v1/charges?page=1&order=up', headers: [...json, 'x-tenant: a'], body: '{"amount":1,"card":{"number":"4242"}}' }
const charged = () => [answer(200, json, '{"charged":true}')]

const replayed = (name: string, to: string, { line = 'GET /v1/x', headers = [], body = '' }: Asked): Case => ({
  name,
  send: request(line, hostOf(to), headers, body),
  ends: '200',
  flaws: ({ text }) => (text.includes('"charged":true') ? [] : ['not what was recorded']),
})
const missed = (name: string, changed: Asked, to = pay): Case => {
  const { line = first.line, headers = first.headers, body = first.body } = changed
  return {
    name,
    send: request(line ?? '', hostOf(to), headers, body),
    ends: '501 replay_miss',
    flaws: ({ text }) => (/4242|amount":[0-9]/.test(text) ? ['says values'] : []),
  }
}

const broken = taped.add({ environments: { dev: { mode: 'replay', cassette: 'broken' } } })
const empty = taped.add({ environments: { dev: { mode: 'replay', cassette: 'nothing-there' } } })
const other = taped.add({ environments: { dev: { mode: 'replay', cassette: 'loose' } } })
const outside = (cassette: string) => taped.add({ environments: { dev: { mode: 'replay', cassette } } })

export const replayControls: readonly Case[] = [
  recorded('a call is recorded', pay, charged, first, {}),
  recorded('one whose body says nothing too', loose, charged, { line: 'POST /v1/charges', headers: json, body: '{"a":1}' }, {}),
  replayed('and is replayed', pay, first),
  replayed('with its members in another order', pay, { ...first, body: '{"card":{"number":"4242"},"amount":1}' }),
  replayed('with its parameters in another order', pay, { ...first, line: 'POST /v1/charges?order=up&page=1' }),
  replayed('with another header that says nothing', pay, { ...first, headers: [...json, 'x-tenant: a', 'x-order: 7'] }),
  replayed('with another body where that says nothing', loose, { line: 'POST /v1/charges', headers: json, body: '{"b":2}' }),
]

export const replayAttacks: readonly Case[] = [
  missed('another method', { line: 'PUT /v1/charges?page=1&order=up' }),
  missed('another path', { line: 'POST /v1/refunds?page=1&order=up' }),
  missed('a longer path', { line: 'POST /v1/charges/7?page=1&order=up' }),
  missed('another case', { line: 'POST /V1/charges?page=1&order=up' }),
  missed('another value of a parameter', { line: 'POST /v1/charges?page=2&order=up' }),
  missed('one parameter more', { line: 'POST /v1/charges?page=1&order=up&x=1' }),
  missed('one parameter less', { line: 'POST /v1/charges?page=1' }),
  missed('a parameter twice', { line: 'POST /v1/charges?page=1&page=1&order=up' }),
  missed('no query', { line: 'POST /v1/charges' }),
  missed('another value of a header that counts', { headers: [...json, 'x-tenant: b'] }),
  missed('that header missing', { headers: json }),
  missed('that header twice', { headers: [...json, 'x-tenant: a', 'x-tenant: a'] }),
  missed('another member', { body: '{"amount":2,"card":{"number":"4242"}}' }),
  missed('a member of another type', { body: '{"amount":"1","card":{"number":"4242"}}' }),
  missed('one member more', { body: '{"amount":1,"card":{"number":"4242"},"x":1}' }),
  missed('a member deep inside', { body: '{"amount":1,"card":{"number":"4243"}}' }),
  missed('no body', { body: '' }),
  missed('a body that is no JSON', { body: '{"amount":1,' }),
  missed('the same bytes as text', { headers: ['content-type: text/plain', 'x-tenant: a'] }),
  missed('a wish to call all the same', {
    line: 'POST /v1/refunds',
    headers: [...json, 'x-tenant: a', 'x-egress-mode: live', 'x-egress-retry: on', 'cache-control: no-cache'],
  }),
  missed('an empty cassette', {}, empty),
  missed('a call that another service recorded', { line: 'POST /v1/refunds' }, other),
  { name: 'a cassette that cannot be read', to: broken, ends: '500 internal' },
  ...['../pay', 'pay/../loose', '/etc', '..', '.', 'pay\u0000'].map(
    (cassette): Case => ({ name: `the cassette ${JSON.stringify(cassette)}`, to: outside(cassette), ends: '503 config_quarantined' }),
  ),
]

const canned = taped.add({ environments: { dev: { mode: 'mock', mock: 'mocks/canned.yaml' } } })
export const mockFile = JSON.stringify([{ match: { method: 'GET', path: '/v1/x' }, json: { said: '{{query.q}}', agent: '{{header.user-agent}}' } }])
const mocked = (name: string, line: string, ends: string, flaws: Look = () => [], headers: readonly string[] = []): Case => ({
  name,
  send: request(line, hostOf(canned), headers),
  ends,
  flaws,
})
const says =
  (part: string): Look =>
  ({ text }) =>
    text.includes(part) ? [] : [`does not say ${part}`]

export const mockControls: readonly Case[] = [mocked('a canned answer', 'GET /v1/x?q=hello', '200', says('"said":"hello"'))]

export const mockAttacks: readonly Case[] = [
  mocked('another path', 'GET /v1/other', '501 mock_miss'),
  mocked('another method', 'POST /v1/x', '501 mock_miss'),
  mocked('a wish to call all the same', 'GET /v1/other', '501 mock_miss', undefined, ['x-egress-mode: live']),
  mocked('a value that would end its string', 'GET /v1/x?q=%22%2C%22admin%22%3Atrue', '200', says('"said":"\\",\\"admin\\":true"')),
  mocked('a value that looks like a placeholder', 'GET /v1/x?q=%7B%7Bheader.authorization%7D%7D', '200', says('"said":"{{header.authorization}}"')),
  mocked('a value with a line end', 'GET /v1/x?q=a%0d%0aset-cookie:%20x', '200', says('"said":"a\\r\\nset-cookie: x"')),
]
