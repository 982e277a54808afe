import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The ports that the shop's policies name, by purpose. */
export const shopPorts = {
  public: 8080,
  egress: 9100,
  payments: 9101,
  admin: 9901,
  issuer: 8181,
  sidecar: 15001,
  sandbox: 9201,
  live: 9202,
} as const

export type Ports = Readonly<Record<keyof typeof shopPorts, number>>

/** A copy of the policies that the demo may edit, with every port that was taken replaced by a free one. */
export interface Workspace {
  readonly policies: string
  readonly ports: Ports
  /** Purposes whose usual port was taken. */
  readonly moved: readonly (keyof Ports)[]
  /** Rewrites one policy file. */
  edit(file: string, change: (text: string) => string): Promise<void>
  close(): Promise<void>
}

/** Copies `source` and settles the ports. With `anyPorts` none of the usual ones is used, so that demos can run side by side. */
export async function openWorkspace(source: string, anyPorts: boolean): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-demo-'))
  const policies = join(folder, 'policies')
  await cp(source, policies, { recursive: true })
  const ports: Record<string, number> = {}
  const moved: (keyof Ports)[] = []
  for (const [purpose, usual] of Object.entries(shopPorts) as [keyof Ports, number][]) {
    const free = !anyPorts && (await isFree(usual))
    ports[purpose] = free ? usual : await freePort()
    if (!free) moved.push(purpose)
  }
  await rewritePorts(policies, ports as Ports)
  return {
    policies,
    ports: ports as Ports,
    moved: anyPorts ? [] : moved,
    edit: async (file, change) => {
      const path = join(policies, file)
      const before = await readFile(path, 'utf8')
      const after = change(before)
      if (after === before) throw new Error(`the edit of ${file} found nothing to change`)
      await writeFile(path, after)
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

async function rewritePorts(policies: string, ports: Ports): Promise<void> {
  const usual = new Map(Object.entries(shopPorts).map(([purpose, port]) => [String(port), String(ports[purpose as keyof Ports])]))
  for (const file of await readdir(policies, { recursive: true })) {
    if (!/\.ya?ml$/.test(file)) continue
    const path = join(policies, file)
    const text = await readFile(path, 'utf8')
    await writeFile(
      path,
      text.replace(/(?<=(?:127\.0\.0\.1|localhost):)\d+\b/g, (port) => usual.get(port) ?? port),
    )
  }
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((answer) => {
    const probe = createServer()
    probe.once('error', () => answer(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => answer(true)))
  })
}

/** A port that nothing listens on now. */
export async function freePort(): Promise<number> {
  return await new Promise((found, fail) => {
    const probe = createServer()
    probe.once('error', fail)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (address !== null && typeof address === 'object' ? found(address.port) : fail(new Error('no free port'))))
    })
  })
}
