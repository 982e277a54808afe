import { createHash } from 'node:crypto'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { PolicyFile } from '../../core/policy/loading.ts'

/** The policies folder as it was read. */
export interface PolicyFolder {
  readonly files: readonly PolicyFile[]
  /** Every file under the folder by its path there, documents included: what a policy may point at. */
  readonly assets: ReadonlyMap<string, Uint8Array>
  /** Why the folder cannot be taken as it is. With any of these nothing of it may be served: what is missing may have narrowed access. */
  readonly problems: readonly Diagnostic[]
  /** Lower-case hex SHA-256 over names and contents. */
  readonly hash: string
}

/** Largest document, largest asset, all together (bytes), and how many files: beyond it somebody made a mistake. */
const caps = { document: 8 * 1024 * 1024, asset: 32 * 1024 * 1024, total: 128 * 1024 * 1024, files: 10_000, depth: 16 } as const

interface Found {
  readonly path: string
  readonly size: number
  readonly stamp: string
}

/** Reads the whole folder. Links are followed as long as they stay inside; names that start with "." are left out. Never throws. */
export async function readPolicyFolder(root: string): Promise<PolicyFolder> {
  const { found, problems } = await listFolder(root)
  const assets = new Map<string, Uint8Array>()
  const files: PolicyFile[] = []
  const hash = createHash('sha256')
  for (const { path } of problems.length > 0 ? [] : found) {
    try {
      const bytes = await readFile(join(root, path))
      assets.set(path, bytes)
      hash.update(`${path.length}:${path}${bytes.length}:`).update(bytes)
      if (isDocument(path)) files.push({ path, text: decode(bytes) })
    } catch (error) {
      problems.push(problem('folder_unreadable', path, `The file cannot be read: ${reasonOf(error)}.`, 'Make it readable, valid UTF-8, or remove it.'))
    }
  }
  return { files, assets, problems, hash: hash.digest('hex') }
}

/** Names, sizes and times of everything in the folder: changes when anything may have changed. Reads no file. */
export async function fingerprintOf(root: string): Promise<string> {
  const { found, problems } = await listFolder(root)
  return [...found.map((one) => one.stamp), ...problems.map((one) => `${one.code} ${one.file}`)].join('\n')
}

/** Documents are YAML or JSON; `*.test.yaml` are policy tests. */
function isDocument(path: string): boolean {
  return /\.(?:yaml|yml|json)$/.test(path) && !path.endsWith('.test.yaml')
}

async function listFolder(root: string): Promise<{ readonly found: Found[]; readonly problems: Diagnostic[] }> {
  const found: Found[] = []
  const problems: Diagnostic[] = []
  try {
    const base = await realpath(root)
    await listInto(base, '', [base], found, problems)
    found.sort((a, b) => (a.path < b.path ? -1 : 1))
    problems.push(...overCaps(found))
  } catch (error) {
    problems.push(
      problem('folder_unreadable', '', `The policies folder ${root} cannot be read: ${reasonOf(error)}.`, 'Set SALLYPORT_POLICIES or --policies to a folder.'),
    )
  }
  return { found, problems }
}

/** `trail` holds the real path of each folder on the way down: a link back to one of them would never end. */
async function listInto(base: string, at: string, trail: readonly string[], found: Found[], problems: Diagnostic[]): Promise<void> {
  const names = await readdir(join(base, at))
  for (const name of names) {
    if (name.startsWith('.')) continue
    const path = at === '' ? name : `${at}/${name}`
    try {
      await listOne(base, path, trail, found, problems)
    } catch (error) {
      problems.push(problem('folder_unreadable', path, `It cannot be read: ${reasonOf(error)}.`, 'Make it readable or remove it.'))
    }
  }
}

async function listOne(base: string, path: string, trail: readonly string[], found: Found[], problems: Diagnostic[]): Promise<void> {
  const real = await realpath(join(base, path))
  if (real !== base && !real.startsWith(`${base}${sep}`)) {
    problems.push(problem('folder_escape', path, 'The link leads out of the policies folder.', 'Put the file itself into the folder.'))
    return
  }
  const facts = await stat(real)
  if (facts.isDirectory()) {
    if (trail.includes(real) || trail.length > caps.depth) {
      problems.push(problem('folder_loop', path, `The folder is inside itself, or more than ${caps.depth} deep.`, 'Remove the link.'))
      return
    }
    await listInto(base, path, [...trail, real], found, problems)
  } else if (facts.isFile() && found.length < caps.files) {
    found.push({ path, size: facts.size, stamp: `${path} ${real} ${facts.ino} ${facts.size} ${facts.mtimeMs} ${facts.ctimeMs}` })
  } else {
    const message = facts.isFile() ? `There are more than ${caps.files} files.` : 'It is neither a file nor a folder.'
    problems.push(problem('folder_unreadable', path, message, 'Keep only policies and what they point at in the folder.'))
  }
}

function overCaps(found: readonly Found[]): Diagnostic[] {
  const problems = found
    .filter(({ path, size }) => size > (isDocument(path) ? caps.document : caps.asset))
    .map(({ path, size }) =>
      problem('file_too_large', path, `The file has ${size} bytes.`, `At most ${isDocument(path) ? caps.document : caps.asset} are read.`),
    )
  const total = found.reduce((sum, { size }) => sum + size, 0)
  if (total > caps.total) problems.push(problem('folder_too_large', '', `The policies folder holds ${total} bytes.`, `At most ${caps.total} are read.`))
  return problems
}

/** @throws TypeError for anything that is not UTF-8. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

function problem(code: string, file: string, message: string, hint: string): Diagnostic {
  return { severity: 'error', code, file, line: 1, column: 1, message, hint, object: undefined }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return (error as NodeJS.ErrnoException).code ?? error.message
}
