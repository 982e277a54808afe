import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/** A file of the core with an edit that must not compile; it stands beside the original, so that the compiler runs once for all. */
interface Mutant {
  readonly of: string
  readonly as: string
  readonly edit: (text: string) => string
}

const mutants: readonly Mutant[] = [
  {
    of: 'ingress.ts',
    as: 'without-authorize.ts',
    edit: (text) => text.replace(/^.*await authorize\(identified\).*\n/m, '').replace('await limit(permitted)', 'await limit(identified)'),
  },
  {
    of: 'ingress.ts',
    as: 'limit-before-identify.ts',
    edit: (text) =>
      text
        .replace('const identified = trail.reach(await identify(matched))', 'const metered = trail.reach(await limit(matched))')
        .replace('const metered = trail.reach(await limit(permitted))', 'const identified = trail.reach(await identify(metered))'),
  },
  {
    of: 'ingress/steer.ts',
    as: 'ingress/forged-permit.ts',
    edit: (text) => `${text}\nimport type { Permit } from '../model/permit.ts'\nexport const forged: Permit = { policy: 'p', rule: 'r', audited: [] }\n`,
  },
  {
    of: 'egress.ts',
    as: 'without-permit.ts',
    edit: (text) => text.replace(/^.*await permit\(addressed\).*\n/m, '').replace('place(allowed)', 'place(addressed)'),
  },
]

let copy: string
/** The compiler's words, line by line. */
let words: readonly string[]

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'sallyport-compile-'))
  const core = join(copy, 'src/core')
  await cp(join(root, 'src/core'), core, { recursive: true })
  await cp(join(root, 'tsconfig.base.json'), join(copy, 'tsconfig.base.json'))
  await cp(join(root, 'package.json'), join(copy, 'package.json'))
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const { of, as, edit } of mutants) {
    const text = await readFile(join(core, of), 'utf8')
    if (edit(text) === text) throw new Error(`the edit of ${of} found nothing to change`)
    await writeFile(join(core, as), edit(text))
  }
  const out = await new Promise<string>((done) => {
    execFile(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'src/core'], { cwd: copy }, (_, stdout) => done(stdout))
  })
  words = out.split('\n').filter((line) => /^\S/.test(line))
}, 120_000)
afterAll(() => rm(copy, { recursive: true, force: true }))

const saidOf = (file: string): readonly string[] => words.filter((line) => line.startsWith(`src/core/${file}(`))

describe('the ingress walk', () => {
  it('compiles as it is, with everything else', () => {
    expect(words.filter((line) => !mutants.some(({ as }) => line.startsWith(`src/core/${as}(`)))).toEqual([])
  })

  it('does not compile without authorize', () => {
    expect(saidOf('without-authorize.ts').join('\n')).toMatch(/error TS2741: Property 'permit' is missing/)
  })

  it('does not compile with limit before identify', () => {
    expect(saidOf('limit-before-identify.ts')).not.toEqual([])
  })

  it('does not compile with a permit that nobody minted', () => {
    expect(saidOf('ingress/forged-permit.ts')).not.toEqual([])
  })
})

describe('the egress walk', () => {
  it('does not compile without permit', () => {
    expect(saidOf('without-permit.ts').join('\n')).toMatch(/error TS2741/)
  })
})
