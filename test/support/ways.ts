import { startSidecar } from '../../src/node/demo/mesh/sidecar.ts'
import { freePort } from '../../src/node/demo/workspace.ts'
import type { Keep } from './keep.ts'
import { envoyHint, hasEnvoy } from './real.ts'

/** A service of the mesh, where it really listens. */
export interface Service {
  readonly port: number
  readonly protocol: 'http' | 'grpc'
}

/** How the gateway reaches the services: at their own ports, or at the one port of a sidecar. */
export interface Way {
  /** For the name of a `describe`. */
  readonly title: string
  /** False where the sidecar is not on this machine. */
  readonly there: boolean
  /** Puts the services in place. Returns the section `clusters` that leads to them, each under its name. */
  clusters(keep: Keep, services: Readonly<Record<string, Service>>): Promise<string>
}

const envoyThere = hasEnvoy()

/** Without a sidecar, and through a real Envoy. */
export const ways: readonly Way[] = [
  { title: 'directly', there: true, clusters: async (_keep, services) => section(services, ({ port }) => `sidecar: none, address: "127.0.0.1:${port}"`) },
  { title: envoyThere ? 'through Envoy' : `through Envoy (${envoyHint})`, there: envoyThere, clusters: behindEnvoy },
]

async function behindEnvoy(keep: Keep, services: Readonly<Record<string, Service>>): Promise<string> {
  const port = await freePort()
  const known = Object.fromEntries(Object.entries(services).map(([name, service]) => [name, { ...service, authority: `${name}.mesh` }]))
  const sidecar = await startSidecar(port, known, process.env)
  keep(() => sidecar.close())
  return section(services, (_, name) => `sidecar: envoy, address: "127.0.0.1:${port}", authority: ${name}.mesh`)
}

function section(services: Readonly<Record<string, Service>>, where: (service: Service, name: string) => string): string {
  const lines = Object.entries(services).map(([name, service]) => {
    const descriptors = service.protocol === 'grpc' ? ', descriptors: shop.binpb' : ''
    return `  ${name}: { ${where(service, name)}, protocol: ${service.protocol}${descriptors} }\n`
  })
  return `clusters:\n${lines.join('')}`
}
