import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Children } from './children.ts'

/** How Sallyport is run: from compiled output where it can be compiled, as it is shipped. */
export interface Build {
  readonly command: readonly string[]
  readonly kind: 'compiled' | 'source'
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Compiles the tree into a folder of its own, so that a `dist/` of yesterday is neither measured nor touched. */
export async function buildSallyport(folder: string, children: Children): Promise<Build> {
  const out = join(folder, 'compiled')
  try {
    await mkdir(out)
    await children.run(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(out, 'dist')], undefined, 120_000)
    await symlink(join(root, 'node_modules'), join(out, 'node_modules'))
    await writeFile(join(out, 'package.json'), '{"type":"module"}')
    return { command: [process.execPath, join(out, 'dist/node/cli/main.js')], kind: 'compiled' }
  } catch {
    return { command: [process.execPath, join(root, 'src/node/cli/main.ts')], kind: 'source' }
  }
}
