import { execFile } from 'node:child_process'
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** google/api and google/rpc, so that annotated files compile without a network. */
const include = fileURLToPath(new URL('./include/', import.meta.url))

/**
 * Compiles a folder of .proto files, its root being the import root, to a serialized FileDescriptorSet with all imports. Runs the
 * `buf` binary of the optional package @bufbuild/buf. A folder with its own `buf.yaml` is compiled as that says; otherwise imports of google/api
 * and google/rpc are there without further ado. Comments are kept on request: they make the set larger, and OpenAPI documents readable. @throws Error with buf's own diagnostics, or when buf is not installed
 */
export async function buildDescriptors(folder: string, options: { readonly comments?: boolean } = {}): Promise<Uint8Array> {
  const buf = findBuf()
  await access(folder).catch(() => {
    throw new Error(`${folder}: no such folder`)
  })
  const work = await mkdtemp(join(tmpdir(), 'sallyport-proto-'))
  try {
    const input = (await isModule(folder)) ? folder : await workspace(folder, work)
    const out = join(work, 'out.binpb')
    const comments = options.comments === true ? [] : ['--exclude-source-info']
    await runBuf(buf, ['build', input, '--as-file-descriptor-set', ...comments, '--output', out], input, folder)
    return await readFile(out)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function findBuf(): string {
  try {
    return createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf')
  } catch {
    throw new Error('compiling .proto files needs the package @bufbuild/buf: npm install @bufbuild/buf')
  }
}

async function isModule(folder: string): Promise<boolean> {
  const names = await readdir(folder)
  return names.includes('buf.yaml') || names.includes('buf.work.yaml')
}

/** A workspace of two modules: the folder's files, and of the shipped ones those that the folder does not bring itself. */
async function workspace(folder: string, work: string): Promise<string> {
  const own = join(work, 'own')
  await mkdir(own)
  await cp(folder, own, { recursive: true })
  const present = new Set(await readdir(own, { recursive: true }))
  const shipped = join(work, 'shipped')
  const lacking = (await readdir(include, { recursive: true })).filter((name) => name.endsWith('.proto') && !present.has(name))
  for (const name of lacking) await cp(join(include, name), join(shipped, name))
  const modules = lacking.length === 0 ? ['own'] : ['own', 'shipped']
  await writeFile(join(work, 'buf.yaml'), `version: v2\nmodules:\n${modules.map((path) => `  - path: ${path}\n`).join('')}`)
  return own
}

async function runBuf(buf: string, args: readonly string[], input: string, folder: string): Promise<void> {
  try {
    await run(process.execPath, [buf, ...args], { timeout: 60_000 })
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    const message = said === '' ? String(error) : said.replaceAll(`${input}/`, '')
    throw new Error(`${folder} does not compile:\n${message}`, { cause: error })
  }
}
