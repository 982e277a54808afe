import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
let copy: string

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'sallyport-compile-'))
  await cp(join(root, 'src/core'), join(copy, 'src/core'), { recursive: true })
  await cp(join(root, 'tsconfig.base.json'), join(copy, 'tsconfig.base.json'))
  await cp(join(root, 'package.json'), join(copy, 'package.json'))
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
})
afterAll(() => rm(copy, { recursive: true, force: true }))

/** Type-checks a copy of the core in which `edit` was applied to one file; returns the compiler's words. */
async function compileWith(file: string, edit: (text: string) => string): Promise<string> {
  const path = join(copy, file)
  const original = await readFile(path, 'utf8')
  const edited = edit(original)
  if (edit !== unchanged && edited === original) throw new Error(`the edit of ${file} found nothing to change`)
  await writeFile(path, edited)
  try {
    return await new Promise((done) => {
      execFile(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'src/core'], { cwd: copy }, (_, stdout) => done(stdout))
    })
  } finally {
    await writeFile(path, original)
  }
}

const unchanged = (text: string): string => text
const walk = 'src/core/ingress.ts'

// Each runs the compiler over the whole core.
describe('the ingress walk', { timeout: 60_000 }, () => {
  it('compiles as it is', async () => {
    expect(await compileWith(walk, unchanged)).toBe('')
  })

  it('does not compile without authorize', async () => {
    const words = await compileWith(walk, (text) =>
      text.replace(/^.*await authorize\(identified\).*\n/m, '').replace('await limit(permitted)', 'await limit(identified)'),
    )
    expect(words).toMatch(/ingress\.ts.*error TS2741/)
    expect(words).toContain('permit')
  })

  it('does not compile with limit before identify', async () => {
    const words = await compileWith(walk, (text) =>
      text
        .replace('const identified = trail.reach(await identify(matched))', 'const metered = trail.reach(await limit(matched))')
        .replace('const metered = trail.reach(await limit(permitted))', 'const identified = trail.reach(await identify(metered))'),
    )
    expect(words).toMatch(/ingress\.ts.*error TS/)
  })

  it('does not compile with a permit that nobody minted', async () => {
    const words = await compileWith(
      'src/core/ingress/steer.ts',
      (text) => `${text}\nimport type { Permit } from '../model/permit.ts'\nexport const forged: Permit = { policy: 'p', rule: 'r', audited: [] }\n`,
    )
    expect(words).toMatch(/steer\.ts.*error TS/)
  })
})

describe('the egress walk', () => {
  it('does not compile without permit', async () => {
    const words = await compileWith('src/core/egress.ts', (text) =>
      text.replace(/^.*await permit\(addressed\).*\n/m, '').replace('place(allowed)', 'place(addressed)'),
    )
    expect(words).toMatch(/egress\.ts.*error TS2741/)
  })
})
