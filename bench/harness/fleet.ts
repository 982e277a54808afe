import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../test/support/redis.ts'
import { until } from '../../test/support/until.ts'
import { openChildren } from './children.ts'
import type { Keep } from './keep.ts'
import { scratchFolder } from './scratch.ts'

const program = fileURLToPath(new URL('../../src/node/cli/main.ts', import.meta.url))
const backend = fileURLToPath(new URL('../programs/http-backend.ts', import.meta.url))

/** Gateways of one policy, processes of their own. */
export interface Fleet {
  readonly gateways: readonly Gateway[]
  /** What `sallyport check` says of each limit. */
  readonly bounds: ReadonlyMap<string, string>
}

export interface Gateway {
  readonly port: number
  /** What the admin listener answers, as text. */
  admin(path: string): Promise<string>
}

/** Starts a service that answers everything. Its port. */
export async function startService(keep: Keep): Promise<number> {
  const children = openChildren()
  keep(() => children.closeAll())
  const port = await freePort()
  children.spawn(process.execPath, [backend, `${port}`], undefined)
  return port
}

/** What a policy may have beside its sections: TLS of the public listener, and files in its folder. */
export interface Beside {
  readonly tls?: object
  readonly files?: Readonly<Record<string, Uint8Array>>
}

/** Starts gateways and waits until they are ready. `policy`: its sections but for environment and listeners; JSON is YAML. */
export async function startFleet(count: number, policy: Readonly<Record<string, unknown>>, keep: Keep, { tls, files = {} }: Beside = {}): Promise<Fleet> {
  const children = openChildren()
  keep(() => children.closeAll())
  const folders: string[] = []
  const gateways: Gateway[] = []
  for (let i = 0; i < count; i++) {
    const [port, admin] = [await freePort(), await freePort()]
    const folder = await scratchFolder(keep)
    const listeners = { public: { address: `127.0.0.1:${port}`, tls }, admin: { address: `127.0.0.1:${admin}` } }
    await writeFile(join(folder, 'bench.json'), JSON.stringify({ sallyport: 'v1', environments: { dev: { class: 'nonprod' } }, listeners, ...policy }))
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
    const words = [
      'serve',
      '--policies',
      folder,
      '--env',
      'dev',
      '--strict',
      '--log-to',
      '/dev/null',
      '--log-format',
      'json',
      '--lame-duck',
      '0s',
      '--drain',
      '1s',
    ]
    const child = children.spawn(process.execPath, [program, ...words], undefined)
    folders.push(folder)
    const ask = async (path: string) => await (await fetch(`http://127.0.0.1:${admin}${path}`)).text()
    await until(async () => {
      if (!(await fetch(`http://127.0.0.1:${admin}/readyz`)).ok) throw new Error(`the gateway is not ready: ${child.complaint()}`)
    }, 60_000)
    gateways.push({ port, admin: ask })
  }
  const checked = await children.run(process.execPath, [program, 'check', '--json', '--env', 'dev', '--policies', folders[0] ?? ''], undefined, 30_000)
  const { limits } = JSON.parse(checked) as { readonly limits: readonly { readonly limit: string; readonly bound: string }[] }
  return { gateways, bounds: new Map(limits.map(({ limit, bound }) => [limit, bound])) }
}
