import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Policy } from '../../src/core/policy/policy.ts'
import { buildRehearse } from '../../src/core/rehearse.ts'
import { createOfflinePorts } from '../../src/node/offline-ports.ts'
import { rehearsedArrival } from '../../src/node/rehearsed-arrival.ts'
import { type Dice, diceOf } from '../protobuf/dice.ts'
import { loadCase } from '../support/load.ts'
import { type Probe, plainlyAllows } from './plain-reading.ts'

/*
 * Damaged access policies. For every mutant and every probe: what the gateway allows was allowed by the original too, or the damaged text,
 * read by `plain-reading.ts`, says so. This proves that no slip of the loader (a rule read in part, a key that is taken for another, a value
 * of a wrong type, half a file) lets anybody pass. It does not prove that damage which happens to say something else in plain YAML is found:
 * a dropped digit in a CIDR is another CIDR.
 */

/** `ACCESS_MUTANTS=10000 npx vitest run test/policy/access-mutants.test.ts` for the long run. */
const mutants = Number(process.env['ACCESS_MUTANTS'] ?? 400)
const seed = Number(process.env['ACCESS_SEED'] ?? 20261120)

const original = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: 127.0.0.1:8080 } }
issuers:
  main: { issuer: "https://idp.example.com", audiences: [https://api.example.com], algorithms: [ES256], tokenTypes: [at+jwt] }
clusters:
  web: { address: 127.0.0.1:15001 }
access:
  reports:
    authenticate: { jwt: main }
    rules:
      - id: read
        allow:
          methods: [GET]
          scopes: [reports:read]
      - id: write
        allow: { methods: [POST, PUT], scopes: { all: [reports:write], any: [editor, owner] } }
      - id: admin
        allow: { roles: [admin], acr: [gold, silver] }
      - id: lab
        deny: { cidrs: [10.66.0.0/16] }
        reason: "Not from the lab."
      - id: tenant
        deny: { headers: { x-tenant: { present: true } } }
        when: 'claims.tenant != request.headers["x-tenant"]'
      - id: closed
        deny:
          paths: ["/reports/closed/{**}"]
      - id: trial
        allow: { methods: [DELETE] }
        mode: audit
  pages:
    authenticate: { optional: { jwt: main } }
    rules:
      - { id: read, allow: { anonymous: true, methods: [GET], hosts: ["*.example.com"] } }
      - { id: edit, allow: { methods: [PUT], claims: { plan: [pro, team], tenant: { equals: header.x-tenant } } } }
      - id: old
        deny:
          headers:
            user-agent: { prefix: "Old/", pattern: "Old/1[.].*" }
      - id: drafts
        deny: { anonymous: true, paths: ["/pages/drafts/{id}"] }
  freeze:
    rules:
      - id: no-writes
        deny: { methods: [DELETE] }
routes:
  reports:
    match: { path: "/reports/{**}" }
    access: [reports, freeze]
    to: web
  pages:
    match:
      path: "/pages/{**}"
      hosts: ["*.example.com"]
    access: pages
    to: web
  status:
    match: { path: /status, methods: [GET] }
    access: { rules: [{ id: all, allow: { anonymous: true, cidrs: [192.0.2.0/24] } }] }
    to: web
`

const who = (claims: Readonly<Record<string, unknown>>): Probe['principal'] => ({ issuer: 'main', claims: { sub: 'ada', ...claims } })
const ask = (method: string, path: string, more: Partial<Probe> = {}): Probe => ({
  method,
  path,
  host: 'api.example.com',
  headers: {},
  client: '192.0.2.7',
  principal: undefined,
  ...more,
})
const reader = who({ scope: 'reports:read', tenant: 'red' })
const writer = who({ scope: 'reports:write editor', tenant: 'red', plan: 'pro' })
const probes: readonly Probe[] = [
  ask('GET', '/reports/1', { principal: reader }),
  ask('HEAD', '/reports/1', { principal: reader }),
  ask('GET', '/reports/1'),
  ask('GET', '/reports/1', { principal: who({}) }),
  ask('GET', '/reports/1', { principal: who({ scope: 'reports' }) }),
  ask('POST', '/reports/1', { principal: reader }),
  ask('POST', '/reports/1', { principal: writer }),
  ask('PUT', '/reports/1', { principal: who({ scope: 'reports:write' }) }),
  ask('DELETE', '/reports/1', { principal: writer }),
  ask('DELETE', '/reports/1', { principal: who({ roles: ['admin'], acr: 'gold' }) }),
  ask('PATCH', '/reports/1', { principal: who({ roles: ['admin'], acr: 'gold' }) }),
  ask('PATCH', '/reports/1', { principal: who({ roles: ['admin'], acr: 'bronze' }) }),
  ask('PATCH', '/reports/1', { principal: who({ roles: { admin: true }, acr: 'gold' }) }),
  ask('GET', '/reports/1', { principal: reader, client: '10.66.1.2' }),
  ask('GET', '/reports/1', { principal: reader, client: '10.67.1.2' }),
  ask('GET', '/reports/1', { principal: reader, headers: { 'x-tenant': 'blue' } }),
  ask('GET', '/reports/1', { principal: reader, headers: { 'x-tenant': 'red' } }),
  ask('GET', '/reports/closed/1', { principal: reader }),
  ask('GET', '/reports/closed', { principal: reader }),
  ask('GET', '/pages/start'),
  ask('GET', '/pages/start', { principal: reader }),
  ask('GET', '/pages/start', { host: 'api.example.net' }),
  ask('GET', '/pages/start', { headers: { 'user-agent': 'Old/1.4' } }),
  ask('GET', '/pages/start', { headers: { 'user-agent': 'Old/2.0' } }),
  ask('GET', '/pages/drafts/1'),
  ask('GET', '/pages/drafts/1', { principal: reader }),
  ask('PUT', '/pages/start', { principal: writer, headers: { 'x-tenant': 'red' } }),
  ask('PUT', '/pages/start', { principal: writer, headers: { 'x-tenant': 'blue' } }),
  ask('PUT', '/pages/start', { principal: reader, headers: { 'x-tenant': 'red' } }),
  ask('PUT', '/pages/start'),
  ask('GET', '/status'),
  ask('GET', '/status', { client: '198.51.100.1' }),
  ask('POST', '/status'),
  ask('GET', '/other'),
]

async function load(text: string): Promise<Policy | undefined> {
  return (await loadCase({ files: { 'a.yaml': text } })).policy
}

async function allowed(policy: Policy | undefined): Promise<readonly boolean[]> {
  if (policy === undefined) return probes.map(() => false)
  const rehearse = buildRehearse(policy, createOfflinePorts(0))
  const outcomes: boolean[] = []
  for (const { method, host, path, headers, client, principal } of probes) {
    const arrival = rehearsedArrival({ method, scheme: 'http', host, target: path, headers: Object.entries(headers).flat(), json: undefined, client })
    const { refusal } = await rehearse(arrival, { kind: 'assumed', token: principal })
    if (refusal?.code === 'internal') throw new Error('a probe crashed', { cause: refusal })
    outcomes.push(refusal === undefined)
  }
  rehearse.close()
  return outcomes
}

test('both readings say the same of the original', async () => {
  const policy = await load(original)
  const engine = await allowed(policy)
  expect(engine).toEqual(probes.map((probe) => plainlyAllows(original, probe)))
  expect(engine.filter((each) => each).length).toBeGreaterThan(8)
  expect(engine.filter((each) => !each).length).toBeGreaterThan(15)
})

test('the plain reading takes nothing that strict YAML refuses, and sees what plain YAML says', () => {
  const anonymous = ask('GET', '/reports/1')
  expect(plainlyAllows(original, anonymous)).toBe(false)
  const opened = original
    .replace('allow:\n          methods: [GET]\n          scopes: [reports:read]', 'allow: { anonymous: true }')
    .replace('authenticate: { jwt: main }', 'authenticate: none')
  expect(plainlyAllows(opened, anonymous)).toBe(true)
  expect(plainlyAllows(`${opened}access: { reports: { rules: [] } }\n`, anonymous)).toBe(false)
  expect(plainlyAllows(opened.replace('id: lab', 'id: lab\n        dney: {}'), anonymous)).toBe(false)
})

test(`${mutants} damaged policies: none crashes the loader, none lets pass what neither the original allows nor the damaged text says`, {
  timeout: 60_000 + mutants * 100,
}, async () => {
  const before = await allowed(await load(original))
  const seen = { refused: 0, same: 0, narrower: 0, widerAsSaid: 0 }
  for (let i = 0; i < mutants; i++) {
    const dice = diceOf(seed + i)
    const text = dice.chance(0.7) ? damaged(dice, original) : rewritten(dice)
    const where = `seed ${seed + i}\n${text}`
    const after = await load(text)
      .then(allowed)
      .catch((error: unknown) => {
        throw new Error(where, { cause: error })
      })
    const wider = probes.filter((_, at) => after[at] === true && before[at] === false)
    for (const probe of wider) if (!plainlyAllows(text, probe)) throw new Error(`${JSON.stringify(probe)} is let pass: ${where}`)
    if (wider.length > 0) seen.widerAsSaid++
    else if (after.every((each) => !each)) seen.refused++
    else if (after.every((each, at) => each === before[at])) seen.same++
    else seen.narrower++
  }
  // Each kind of outcome came up, or the damage is of no use.
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
  if (process.env['ACCESS_MUTANTS'] !== undefined) process.stdout.write(`${mutants} mutants: ${JSON.stringify(seen)}\n`)
})

/** One to three slips of the hand in the text. */
function damaged(dice: Dice, text: string): string {
  let now = text
  for (let n = dice.between(1, 3); n > 0; n--) now = dice.pick(slips)(now, dice)
  return now
}

type Slip = (text: string, dice: Dice) => string

const within = (text: string, dice: Dice) => dice.between(0, Math.max(0, text.length - 1))
const byLines = (change: (lines: string[], dice: Dice) => readonly string[]): Slip => (text, dice) => change(text.split('\n'), dice).join('\n') // biome-ignore format: reads as one
const lineOf = (lines: readonly string[], dice: Dice) => dice.between(0, lines.length - 1)
const strange = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '-',
  '#',
  '&',
  '*',
  '!',
  '|',
  '>',
  "'",
  '"',
  '%',
  '@',
  '`',
  '?',
  '\t',
  '\n',
  ' ',
  '\0',
  '~',
  '<<: ',
  '*a',
  '&a ',
  '!!str ',
  '\u00a0',
  '\ufeff',
  '---\n',
  '...\n',
]
const others = [
  '',
  'null',
  '[]',
  '{}',
  '[[]]',
  '-1',
  '1e999',
  '.nan',
  'true',
  'false',
  '"\\0"',
  '${X}',
  '[null]',
  '{ __proto__: 1 }',
  "''",
  '*a',
  'yes',
  '["*"]',
  '"*"',
  '/**',
  '{ anonymous: true }',
  '[GET, POST, PUT, PATCH, DELETE]',
]

const slips: readonly Slip[] = [
  (text, dice) => cut(text, within(text, dice), 1),
  (text, dice) => cut(text, within(text, dice), dice.between(2, 60)),
  (text, dice) => text.slice(0, within(text, dice)),
  (text, dice) => double(text, within(text, dice)),
  (text, dice) => swap(text, within(text, dice)),
  (text, dice) => put(text, within(text, dice), dice.pick(strange)),
  (text, dice) => replaceOne(text, dice, /["']/g, (found) => (found === '"' ? "'" : '"')),
  (text, dice) => replaceOne(text, dice, /["']/g, () => ''),
  (text, dice) => replaceOne(text, dice, /[{}[\],:]/g, () => ''),
  (text, dice) => replaceOne(text, dice, /: [^\n{}[\],]+/g, () => `: ${dice.pick(others)}`),
  (text, dice) => replaceOne(text, dice, /: (?:\{[^\n{}]*\}|\[[^\n[\]]*\])/g, () => `: ${dice.pick(others)}`),
  (text, dice) =>
    replaceOne(text, dice, /\b(?:deny|allow|audit|anonymous|methods|paths|rules|access|mode)\b/g, (found) =>
      dice.pick([`${found}s`, found.toUpperCase(), 'allow', 'deny', 'audit', found.slice(1), `"${found}"`]),
    ),
  byLines((lines, dice) => lines.toSpliced(lineOf(lines, dice), 1)),
  byLines((lines, dice) => lines.toSpliced(lineOf(lines, dice), dice.between(1, 6))),
  byLines((lines, dice) => { const at = lineOf(lines, dice); return lines.toSpliced(at, 0, lines[at] ?? '') }), // biome-ignore format: reads as one
  byLines((lines, dice) => lines.toSpliced(lineOf(lines, dice), 0, ...lines.slice(lineOf(lines, dice)).slice(0, dice.between(1, 6)))),
  byLines((lines, dice) => { const at = lineOf(lines, dice); return lines.with(at, `${' '.repeat(dice.between(1, 4))}${lines[at] ?? ''}`) }), // biome-ignore format: reads as one
  byLines((lines, dice) => { const at = lineOf(lines, dice); return lines.with(at, (lines[at] ?? '').replace(/^ {1,4}/, '')) }), // biome-ignore format: reads as one
  byLines((lines, dice) => { const at = lineOf(lines, dice); return lines.toSpliced(at, 2, `${lines[at] ?? ''} ${lines[at + 1]?.trim() ?? ''}`) }), // biome-ignore format: reads as one
]

const cut = (text: string, at: number, length: number) => text.slice(0, at) + text.slice(at + length)
const double = (text: string, at: number) => put(text, at, text[at] ?? '')
const put = (text: string, at: number, more: string) => text.slice(0, at) + more + text.slice(at)
const swap = (text: string, at: number) => text.slice(0, at) + (text[at + 1] ?? '') + (text[at] ?? '') + text.slice(at + 2)

function replaceOne(text: string, dice: Dice, pattern: RegExp, by: (found: string) => string): string {
  const all = [...text.matchAll(pattern)]
  if (all.length === 0) return text
  const one = dice.pick(all)
  return text.slice(0, one.index) + by(one[0]) + text.slice(one.index + one[0].length)
}

/** Changes in the parsed tree, written again in another style. */
function rewritten(dice: Dice): string {
  const tree = parse(original) as Record<string, unknown>
  for (let n = dice.between(1, 2); n > 0; n--) mutate(dice, tree)
  return dice.chance(0.3)
    ? JSON.stringify(tree)
    : stringify(tree, { collectionStyle: dice.pick(['any', 'block', 'flow'] as const), aliasDuplicateObjects: false })
}

function mutate(dice: Dice, tree: Record<string, unknown>): void {
  const spots: { readonly holder: Record<string, unknown> | unknown[]; readonly key: string }[] = []
  const gather = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return
    const holder = value as Record<string, unknown> | unknown[] // an object is a mapping or a list
    for (const key of Object.keys(holder)) {
      spots.push({ holder, key })
      gather((holder as Record<string, unknown>)[key])
    }
  }
  gather({ access: tree['access'], routes: tree['routes'] })
  const { holder, key } = dice.pick(spots)
  const members = holder as Record<string, unknown>
  const value = members[key]
  const other = dice.pick(spots)
  const changes: readonly (() => void)[] = [
    () => void (Array.isArray(holder) ? holder.splice(Number(key), 1) : delete members[key]),
    () => void (members[key] = dice.pick([null, true, false, 0, 1, '', 'GET', [], {}, [null], { anonymous: true }, ['*'], '/**', ['GET', 'DELETE', 'PUT']])),
    () => void (members[key] = [value]),
    () => void (members[key] = Array.isArray(value) ? value[0] : { [key]: value }),
    () => void (members[key] = structuredClone((other.holder as Record<string, unknown>)[other.key])),
    () =>
      void (Array.isArray(holder)
        ? holder.push(structuredClone(value))
        : (members[dice.pick(['allow', 'deny', 'audit', 'anonymous', 'when', 'mode', 'rules', `${key}s`])] = value)),
    () =>
      void (typeof value === 'string'
        ? (members[key] = dice.pick([value.toUpperCase(), ` ${value}`, value.slice(1), `${value}*`, value.split('')]))
        : undefined),
  ]
  dice.pick(changes)()
}
