import { connect as connectSocket } from 'node:net'
import { findEnvoy, startEnvoy } from './envoy.ts'
import type { Sidecar, SidecarPorts } from './outbound.ts'
import { startStandIn } from './stand-in.ts'

/** Starts a real Envoy where there is one; otherwise a stand-in that routes by authority, and says so. */
export async function startSidecar(listen: number, services: SidecarPorts['services'], env: Readonly<Record<string, string | undefined>>): Promise<Sidecar> {
  const ports: SidecarPorts = { listen, services, answers: () => listens(listen, 15_000) }
  const envoy = findEnvoy(env)
  return envoy === undefined ? await startStandIn(ports) : await startEnvoy(envoy, ports)
}

async function listens(port: number, forMs: number): Promise<void> {
  const until = performance.now() + forMs
  while (performance.now() < until) {
    const open = await new Promise<boolean>((answer) => {
      const socket = connectSocket(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        answer(true)
      })
      socket.once('error', () => answer(false))
    })
    if (open) return
    await new Promise((next) => setTimeout(next, 25))
  }
  throw new Error(`nothing listens on 127.0.0.1:${port} after ${forMs} ms`)
}
