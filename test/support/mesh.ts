import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { findEnvoy } from '../../src/node/demo/mesh/envoy.ts'
import { freePort } from '../../src/node/demo/workspace.ts'
import { type Certificates, makeCertificates } from './certificates.ts'
import { root } from './command.ts'
import type { Keep } from './keep.ts'

/** Two real Envoys with mutual TLS between them, from the files of deploy/envoy: only ports and the folder of the certificates differ. */
export interface Mesh {
  /** Where the gateway dials. */
  readonly port: number
  readonly pem: Certificates
  /** Puts a certificate in place of another, in one step. */
  put(name: string, text: string): Promise<void>
  /** Ends the proxy beside the gateway, or the one in front of the services. */
  stop(which: 'outbound' | 'inbound'): Promise<void>
}

export interface MeshOptions {
  readonly orders: number
  readonly catalog: number
  /** What the service of that name presents in place of its SPIFFE id. */
  readonly presents?: Readonly<Record<string, string>>
  /** Further replacements in both files. */
  readonly replace?: readonly (readonly [string, string])[]
}

export const spiffeIds = {
  sallyport: 'spiffe://corp/ns/edge/sa/sallyport',
  orders: 'spiffe://corp/ns/shop/sa/orders',
  catalog: 'spiffe://corp/ns/shop/sa/catalog',
}

export async function openMesh(keep: Keep, { orders, catalog, presents = {}, replace = [] }: MeshOptions): Promise<Mesh> {
  const pem = await makeCertificates()
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-mesh-'))
  keep(() => rm(folder, { recursive: true, force: true }))
  const put = async (name: string, text: string) => {
    await writeFile(join(folder, `.${name}.next`), text)
    await rename(join(folder, `.${name}.next`), join(folder, name))
  }
  await put('ca.pem', pem.ca)
  for (const [name, id] of Object.entries({ ...spiffeIds, ...presents })) {
    const pair = await pem.issue({ dns: `${name}.test`, uri: [id] })
    await put(`${name}.crt`, pair.certificate)
    await put(`${name}.key`, pair.key)
  }
  const ports = { 15001: await freePort(), 15006: await freePort(), 15007: await freePort(), 50051: orders, 50053: catalog }
  const written = async (name: string) => {
    let text = await readFile(join(root, 'deploy/envoy', name), 'utf8')
    for (const [from, to] of Object.entries(ports)) text = text.replaceAll(`port_value: ${from} `, `port_value: ${to} `)
    for (const [from, to] of [['/run/mesh', folder] as const, ...replace]) text = text.replaceAll(from, to)
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  const inbound = await startProxy(keep, await written('inbound.yaml'), [ports[15006], ports[15007]])
  const outbound = await startProxy(keep, await written('outbound-mtls.yaml'), [ports[15001]])
  return { port: ports[15001], pem, put, stop: (which) => (which === 'outbound' ? outbound() : inbound()) }
}

/** Returns the way to end it. */
async function startProxy(keep: Keep, file: string, ports: readonly number[]): Promise<() => Promise<void>> {
  const words = ['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'error']
  const child = spawn(findEnvoy(process.env) ?? '', words, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  keep(stop)
  for (const port of ports)
    await vi.waitFor(
      async () => {
        if (child.exitCode !== null) throw new Error(`Envoy ended: ${said}`)
        await opens(port)
      },
      { timeout: 30_000, interval: 50 },
    )
  return stop
}

function opens(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
