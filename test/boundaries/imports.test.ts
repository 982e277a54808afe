import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
let plant: string

beforeAll(async () => {
  plant = await mkdtemp(join(tmpdir(), 'sallyport-boundaries-'))
  await symlink(join(root, 'node_modules'), join(plant, 'node_modules'))
})
afterAll(() => rm(plant, { recursive: true, force: true }))

/** Runs the boundary check over a small tree of planted files and returns the names of the rules that fired. */
async function rulesFiredBy(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  await rm(join(plant, 'src'), { recursive: true, force: true })
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(plant, path)), { recursive: true })
    await writeFile(join(plant, path), text)
  }
  const report = await new Promise<string>((done) => {
    const cruise = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs')
    execFile(
      process.execPath,
      [cruise, '--config', join(root, '.dependency-cruiser.cjs'), '--output-type', 'json', 'src'],
      { cwd: plant, maxBuffer: 1 << 26 },
      (_, stdout) => done(stdout),
    )
  })
  const { summary, modules } = JSON.parse(report) as { summary: { violations: { rule: { name: string } }[] }; modules: unknown[] }
  expect(modules.length).toBeGreaterThanOrEqual(Object.keys(files).length)
  return summary.violations.map((violation) => violation.rule.name)
}

const nouns = 'export interface Noun { readonly a: number }\n'

describe('the boundary check', () => {
  it('passes a tree that keeps the rules', async () => {
    const fired = await rulesFiredBy({
      'src/core/model/noun.ts': nouns,
      'src/core/ingress/match.ts':
        "import type { Noun } from '../model/noun.ts'\nimport { trie } from './match/trie.ts'\nexport const match = (noun: Noun) => trie(noun.a)\n",
      'src/core/ingress/match/trie.ts': 'export const trie = (a: number) => a\n',
      'src/core/ingress/limit.ts': "import type { Limit } from '../policy/linked/limits.ts'\nexport const name = (limit: Limit) => limit.name\n",
      'src/core/policy/linked/limits.ts': 'export interface Limit {\n  readonly name: string\n}\n',
      'src/core/ingress.ts': "import { match } from './ingress/match.ts'\nexport const ingress = match\n",
      'src/node/main.ts':
        "import { ingress } from '../core/ingress.ts'\nimport { createServer } from 'node:http'\nexport const run = () => createServer(() => ingress({ a: 1 }))\n",
    })
    expect(fired).toEqual([])
  })

  const violations: readonly (readonly [what: string, rule: string, files: Readonly<Record<string, string>>])[] = [
    [
      'the core imports a Node builtin',
      'core-has-no-node-builtins',
      { 'src/core/a.ts': "import { readFileSync } from 'node:fs'\nexport const a = readFileSync\n" },
    ],
    ['the core imports a package of a ground', 'core-is-pure', { 'src/core/a.ts': "import { Hono } from 'hono'\nexport const a = Hono\n" }],
    [
      'the core imports a ground',
      'core-is-pure',
      { 'src/core/a.ts': "import { b } from '../node/b.ts'\nexport const a = b\n", 'src/node/b.ts': 'export const b = 1\n' },
    ],
    [
      'the model imports a port',
      'model-imports-nothing',
      { 'src/core/model/a.ts': "import type { P } from '../ports.ts'\nexport type A = P\n", 'src/core/ports.ts': 'export type P = 1\n' },
    ],
    [
      'a room imports another room',
      'a-room-does-not-enter-another',
      { 'src/core/ingress/limit.ts': "import { a } from './identify.ts'\nexport const l = a\n", 'src/core/ingress/identify.ts': 'export const a = 1\n' },
    ],
    [
      'a room imports the interior of another wing',
      'a-room-does-not-enter-another',
      {
        'src/core/egress/place.ts': "import { a } from '../ingress/match/trie.ts'\nexport const l = a\n",
        'src/core/ingress/match/trie.ts': 'export const a = 1\n',
      },
    ],
    [
      'a room imports a walk',
      'a-room-does-not-know-the-walks',
      { 'src/core/ingress/limit.ts': "import { a } from '../ingress.ts'\nexport const l = a\n", 'src/core/ingress.ts': 'export const a = 1\n' },
    ],
    [
      'a walk enters an interior',
      'interiors-are-private',
      { 'src/core/ingress.ts': "import { a } from './ingress/match/trie.ts'\nexport const l = a\n", 'src/core/ingress/match/trie.ts': 'export const a = 1\n' },
    ],
    [
      'a room loads policies',
      'a-room-sees-policy-types-only',
      { 'src/core/ingress/limit.ts': "import { a } from '../policy/load.ts'\nexport const l = a\n", 'src/core/policy/load.ts': 'export const a = 1\n' },
    ],
    [
      'a ground imports the other ground',
      'grounds-are-apart',
      { 'src/node/a.ts': "import { b } from '../worker/b.ts'\nexport const a = b\n", 'src/worker/b.ts': 'export const b = 1\n' },
    ],
    [
      'the Worker imports a Node builtin',
      'worker-has-no-node-builtins',
      { 'src/worker/a.ts': "import { connect } from 'node:net'\nexport const a = connect\n" },
    ],
    [
      'two files import each other',
      'no-cycles',
      { 'src/core/a.ts': "import { b } from './b.ts'\nexport const a = () => b\n", 'src/core/b.ts': "import { a } from './a.ts'\nexport const b = () => a\n" },
    ],
  ]

  it.each(violations)('is caught: %s', async (_, rule, files) => {
    expect(await rulesFiredBy(files)).toContain(rule)
  })
})
