import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { untilTheEnd } from '../support/keep.ts'
import { quietWrangler } from '../support/worker.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const keep = untilTheEnd()
let code = ''
/** What the bundle is made of: paths of modules. */
let modules: readonly string[] = []
/** Modules that modules of the bundle import but that are not in it. */
let external: readonly string[] = []

interface Metafile {
  readonly outputs: Readonly<
    Record<string, { readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>; readonly imports: readonly { readonly path: string }[] }>
  >
}

beforeAll(async () => {
  const out = await mkdtemp(join(tmpdir(), 'sallyport-bundle-'))
  keep(() => rm(out, { recursive: true, force: true }))
  const bin = join(root, 'node_modules/wrangler/bin/wrangler.js')
  const args = [bin, 'deploy', '--dry-run', '--env', 'production', '--outdir', out, '--metafile', join(out, 'meta.json')]
  await promisify(execFile)(process.execPath, args, { cwd: root, env: { ...process.env, ...quietWrangler, CI: '1', NO_COLOR: '1' } })
  code = await readFile(join(out, 'main.js'), 'utf8')
  const meta = JSON.parse(await readFile(join(out, 'meta.json'), 'utf8')) as Metafile
  const outputs = Object.values(meta.outputs)
  modules = outputs.flatMap(({ inputs }) => Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])))
  external = outputs.flatMap(({ imports }) => imports.map(({ path }) => path))
})

/** Bytes of the whole bundle, minified and gzipped: the RE2 engine is 46 kB of it, every way of proving who one is, with asking issuers and deciders, some 22. */
const budget = 200_000

describe('the bundle of production', () => {
  it('keeps to its budget', () => {
    expect(gzipSync(code).length).toBeLessThan(budget)
  })

  it('holds nothing of Node, and nothing that only Node can use', () => {
    expect(external.filter((path) => path.startsWith('node:'))).toEqual([])
    expect(external.filter((path) => path !== 'cloudflare:workers')).toEqual([])
    expect(modules.filter((path) => /node_modules\/(?:ioredis|@grpc|rate-limiter-flexible|undici|@hono\/node-server)\/|unenv|src\/node\//.test(path))).toEqual(
      [],
    )
    expect(modules.some((path) => path.endsWith('src/worker/main.ts'))).toBe(true)
  })

  it('was linked before: it holds no loader', () => {
    expect(modules.filter((path) => /node_modules\/(?:yaml|zod)\/|src\/core\/policy\/(?:read|link|load|shape|document)/.test(path))).toEqual([])
  })

  it('holds the policies of production, and nothing of the mesh or the way out', () => {
    expect(code).toContain('own-tenant-only')
    expect(code).not.toMatch(/svc\.cluster\.local|DEMO_LIVE_KEY|payments/)
  })
})
