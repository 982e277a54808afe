import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildMatch } from '../../src/core/ingress/match.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { received } from '../match/ask.ts'
import { anyCharacter } from '../support/any-character.ts'
import { base, loadCase } from '../support/load.ts'

const good = `sallyport: v1
issuers:
  main:
    issuer: https://idp.example.com
    audiences: [https://api.example.com]
    clockSkew: 30s
clusters:
  catalog:
    sidecar: envoy
    protocol: http
    address: 127.0.0.1:15001
    authority: catalog.shop
    connectTimeout: 500ms
    subsets:
      blue: { authority: blue.shop }
      green: { authority: green.shop }
limits:
  per-client:
    rate: 100/1m
    burst: 20
    missing: shared
    key: [issuer, subject, header.x-tenant]
access:
  catalog:
    authenticate:
      jwt: main
    rules:
      - id: read
        allow:
          methods: [GET]
          scopes: [catalog:read]
          headers:
            x-tenant: { prefix: t- }
      - id: office
        deny:
          cidrs: [10.0.0.0/8]
          times: [{ days: [sat, sun], from: "08:00", to: "18:00", zone: Europe/Berlin }]
        when: claims.tenant != request.params.tenant
        reason: Not from there.
routes:
  catalog:
    match:
      hosts: [api.example.com, "*.example.net"]
      path: "/tenants/{tenant}/catalog/{**}"
      methods: [GET]
    access: catalog
    limits: [{ name: per-client, cost: 2 }]
    timeout: 2s
    retry:
      attempts: 2
      on: [connect, 503]
      budget: 20%
    sticky: claim.sub
    to:
      - cluster: catalog
        subset: blue
        weight: 90
      - cluster: catalog
        subset: green
        weight: 10
callers:
  checkout:
    listener: egress
    mayChooseEnv: [dev]
egress:
  payments:
    listen: 127.0.0.1:9101
    callers: [checkout]
    allow:
      - methods: [POST]
        path: /v1/charges
    timeout:
      connect: 2s
      total: 10s
    environments:
      dev:
        target: https://sandbox.pay.example
        inject:
          header: authorization
          format: Bearer {secret}
          secret: env:SANDBOX_KEY
      prod:
        target: https://api.pay.example
        inject:
          header: authorization
          secret: env:LIVE_KEY
`
const load = (text: string) => loadCase({ files: { 'base.yaml': base, 'a.yaml': text } })

// Keys of the format in block style, whose misspelling is one mistake and nothing else.
const keys = good.split('\n').flatMap((line, i) => {
  const key = /^\s+(?:- )?([a-z][A-Za-z]+):/.exec(line)?.[1]
  const isName = /^ {2}[a-z-]+:$|^ {6}(?:blue|green|dev|prod|x-tenant):/.test(line)
  return key === undefined || isName ? [] : [{ line: i + 1, key, column: line.indexOf(key) + 1 }]
})

describe('the policy that is mutated', () => {
  it('is good', async () => {
    expect((await load(good)).diagnostics).toEqual([])
  })
})

describe('a misspelled key', () => {
  it('is reported at its own line and column, with the right name', async () => {
    const slips = fc.record({ at: fc.constantFrom(...keys), position: fc.nat(), slip: fc.constantFrom('drop', 'swap', 'double') })
    await fc.assert(
      fc.asyncProperty(slips, async ({ at, position, slip }) => {
        const wrong = misspell(at.key, position, slip)
        if (wrong === at.key) return
        const lines = good.split('\n')
        const text = lines.with(at.line - 1, (lines[at.line - 1] ?? '').replace(at.key, wrong)).join('\n')
        const { diagnostics } = await load(text)
        const errors = diagnostics.filter(({ severity }) => severity === 'error')
        const there = errors.find((each) => each.file === 'a.yaml' && each.line === at.line && each.column === at.column)
        expect(there, `${wrong} for ${at.key}`).toBeDefined()
        expect(there?.code).toBe('key_unknown')
        // Short keys are too close to others, and hosts to host.
        expect(there?.hint).toContain(at.key.length > 3 && at.key !== 'hosts' ? at.key : '')
      }),
      { numRuns: 150 },
    )
  })
})

describe('damage of bytes, lines and values, 1,200 times', () => {
  const source = good
  const byte = fc.record({ kind: fc.constant('byte' as const), at: fc.nat(source.length - 1), to: fc.string({ unit: anyCharacter, maxLength: 2 }) })
  const mark = fc.record({ kind: fc.constant('byte' as const), at: fc.nat(source.length - 1), to: fc.constantFrom(...'{}[]:,-#&*!|>\'"%@`?\t\n \0'.split('')) })
  const cut = fc.record({ kind: fc.constant('cut' as const), at: fc.nat(source.length), length: fc.nat(200) })
  const copy = fc.record({ kind: fc.constant('copy' as const), from: fc.nat(90), to: fc.nat(90), lines: fc.integer({ min: 1, max: 8 }) })
  const indent = fc.record({ kind: fc.constant('indent' as const), line: fc.nat(90), by: fc.integer({ min: -4, max: 4 }) })
  const value = fc.record({
    kind: fc.constant('value' as const),
    line: fc.nat(90),
    to: fc.constantFrom(
      '',
      'null',
      '[]',
      '{}',
      '[[]]',
      '{ a: { b: [1] } }',
      '-1',
      '1e999',
      '.nan',
      'true',
      '"\\0"',
      '"${X}"',
      '${',
      '0',
      '[null]',
      '{ __proto__: 1 }',
      '"a\\nb"',
      "''",
      '18446744073709551616',
    ),
  })
  const damage = fc.array(fc.oneof(byte, mark, cut, copy, indent, value), { minLength: 1, maxLength: 4 })

  it('never makes the loader throw, and whatever it breaks lets nobody pass', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(damage, async (list) => {
        const text = list.reduce(apply, source)
        const { policy, diagnostics } = await load(text)
        for (const { line, column, message, hint } of diagnostics) {
          expect(line).toBeGreaterThan(0)
          expect(column).toBeGreaterThan(0)
          expect(message.length).toBeGreaterThan(3)
          expect(hint === undefined || hint.length > 3).toBe(true)
        }
        const routes = policy?.routes ?? []
        expect(routes.filter(({ quarantined, split, access }) => quarantined !== undefined && split.length + access.length > 0)).toEqual([])
        const behindBroken = routes.filter(
          ({ quarantined, access }) => quarantined === undefined && access.some((name) => policy?.access[name]?.quarantined !== undefined),
        )
        expect(behindBroken).toEqual([])
        expect(() => structuredClone(policy)).not.toThrow()
      }),
      { numRuns: 600 },
    )
  })

  it('never lets a request of the route fall to a wider one, as long as its match stands there', { timeout: 120_000 }, async () => {
    const match = /\n +match:\n( +)hosts: .*\n\1path: .*\n\1methods: .*\n/
    const wide = 'sallyport: v1\naccess: { all: { rules: [{ id: all, allow: { anonymous: true } }] } }\nclusters: { w: { address: "127.0.0.1:1" } }\n'
    const wider = `${wide}routes: { wide: { match: { path: "/{**}" }, access: all, to: w } }\n`
    let asked = 0
    await fc.assert(
      fc.asyncProperty(damage, async (list) => {
        const text = list.reduce(apply, source)
        const block = match.exec(text)?.[0]
        if (block === undefined || !source.replace(/\n +/g, '\n').includes(block.trim().replace(/\n +/g, '\n'))) return
        const { policy, diagnostics } = await loadCase({ files: { 'base.yaml': base, 'a.yaml': text, 'wide.yaml': wider } })
        if (policy === undefined || diagnostics.every(({ severity }) => severity !== 'error')) return
        asked += 1
        const request = received('GET', '/tenants/t/catalog/x', { host: 'api.example.com' })
        expect(takes(policy, request), text).not.toBe('wide')
      }),
      { numRuns: 300 },
    )
    expect(asked).toBeGreaterThan(100)
  })

  it('of a deny rule never leaves the rest of its policy in force', async () => {
    const lines = source.split('\n')
    const from = lines.findIndex((line) => line.includes('id: office'))
    for (const [i, line] of lines.slice(from, from + 6).entries()) {
      for (const broken of [line.replace(':', ''), line.replace(/: .*/, ': ['), line.replace(/([a-z]+):/, '$1x:'), line.replace(/: .*/, ': 5')]) {
        if (broken === line || broken.includes('reason')) continue
        const { policy, diagnostics } = await load(lines.with(from + i, broken).join('\n'))
        expect(
          diagnostics.some(({ severity }) => severity === 'error'),
          broken,
        ).toBe(true)
        expect(policy?.routes.every(({ quarantined }) => quarantined !== undefined) ?? true, broken).toBe(true)
      }
    }
  })
})

function takes(policy: Policy, request: ReturnType<typeof received>): string {
  try {
    return buildMatch(policy)(request).route.name
  } catch (error) {
    if (error instanceof Fault) return error.code
    throw error
  }
}

type Damage =
  | { readonly kind: 'byte'; readonly at: number; readonly to: string }
  | { readonly kind: 'cut'; readonly at: number; readonly length: number }
  | { readonly kind: 'copy'; readonly from: number; readonly to: number; readonly lines: number }
  | { readonly kind: 'indent'; readonly line: number; readonly by: number }
  | { readonly kind: 'value'; readonly line: number; readonly to: string }

function apply(text: string, damage: Damage): string {
  if (damage.kind === 'byte') return text.slice(0, damage.at) + damage.to + text.slice(damage.at + 1)
  if (damage.kind === 'cut') return text.slice(0, damage.at) + text.slice(damage.at + damage.length)
  const lines = text.split('\n')
  if (damage.kind === 'copy') return lines.toSpliced(damage.to, 0, ...lines.slice(damage.from, damage.from + damage.lines)).join('\n')
  const line = lines[damage.line % lines.length] ?? ''
  const changed =
    damage.kind === 'value'
      ? line.replace(/:.*/, `: ${damage.to}`)
      : damage.by < 0
        ? line.slice(Math.min(-damage.by, line.length - line.trimStart().length))
        : ' '.repeat(damage.by) + line
  return lines.with(damage.line % lines.length, changed).join('\n')
}

function misspell(key: string, position: number, slip: string): string {
  const at = position % (key.length - 1)
  if (slip === 'drop') return key.slice(0, at) + key.slice(at + 1)
  return slip === 'swap' ? `${key.slice(0, at)}${key[at + 1]}${key[at]}${key.slice(at + 2)}` : `${key.slice(0, at)}${key[at]}${key.slice(at)}`
}
