import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Children } from '../harness/children.ts'
import { findProgram, outputOf } from '../harness/machine.ts'
import type { LoadPlan, LoadResult } from './plan.ts'
import { parseWrk, wrkArguments, wrkScript } from './wrk.ts'

export type LoadKind = 'wrk' | 'bundled'

/** Puts load on a port, from a process of its own. */
export interface Load {
  readonly kind: LoadKind
  readonly version: string
  run(plan: LoadPlan): Promise<LoadResult>
}

const generator = fileURLToPath(new URL('../programs/generator.ts', import.meta.url))

/** wrk where it is installed, and the bundled generator otherwise, when it is asked for, and for every plan with a rate. */
export async function openLoad(wanted: LoadKind | 'auto', children: Children, cpus: string | undefined, folder: string): Promise<Load> {
  const wrk = wanted === 'bundled' ? undefined : findProgram('wrk')
  if (wanted === 'wrk' && wrk === undefined) throw new Error('wrk is not installed: apt-get install wrk')
  let plans = 0
  const save = async (text: string): Promise<string> => {
    const file = join(folder, `load-${plans++}`)
    await writeFile(file, text)
    return file
  }
  const mostMs = (plan: LoadPlan): number => plan.seconds * 1000 + 15_000
  const bundled = async (plan: LoadPlan): Promise<LoadResult> =>
    JSON.parse(await children.run(process.execPath, [generator, await save(JSON.stringify(plan))], cpus, mostMs(plan))) as LoadResult
  if (wrk === undefined) return { kind: 'bundled', version: `bundled, Node ${process.versions.node}`, run: bundled }
  return {
    kind: 'wrk',
    version: /wrk \S+/.exec((await outputOf(wrk, ['-v'])) ?? '')?.[0] ?? 'wrk',
    async run(plan) {
      if (plan.rate !== undefined) return await bundled(plan)
      return parseWrk(await children.run(wrk, wrkArguments(plan, await save(wrkScript(plan))), cpus, mostMs(plan)))
    },
  }
}
