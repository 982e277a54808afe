import { execFileSync, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Sidecar, SidecarPorts } from './outbound.ts'

/** Where Envoy is: `$ENVOY_BIN`, else `envoy` on PATH. Undefined when it is not there or does not run. */
export function findEnvoy(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const named = env['ENVOY_BIN']
  const places = named === undefined || named === '' ? (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'envoy')) : [named]
  return places.find(runs)
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    execFileSync(path, ['--version'], { stdio: 'ignore', timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

/** Starts Envoy as the gateway's outbound sidecar and waits until it listens. @throws when it does not come up in 15 s. */
export async function startEnvoy(binary: string, ports: SidecarPorts): Promise<Sidecar> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-envoy-'))
  const config = join(folder, 'envoy.json')
  await writeFile(config, JSON.stringify(envoyConfig(ports)))
  const child = spawn(binary, ['-c', config, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-4000)
  })
  const gone = new Promise<never>((_, fail) => child.once('exit', (code) => fail(new Error(`Envoy ended with ${code}: ${words}`))))
  gone.catch(() => {})
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((done) => child.once('exit', done))
      child.kill('SIGTERM')
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await Promise.race([ports.answers(), gone])
  } catch (error) {
    await close()
    throw error
  }
  return { kind: 'envoy', description: `Envoy (${binary})`, pid: child.pid, close }
}

/** A static bootstrap: one outbound listener that routes by authority, as a mesh's control plane would configure it. */
function envoyConfig(ports: SidecarPorts): unknown {
  const clusters = Object.entries(ports.services).map(([name, service]) => cluster(name, service.port, service.protocol))
  const virtualHosts = Object.entries(ports.services).map(([name, service]) => ({
    name,
    domains: [service.authority, `${service.authority}:*`],
    routes: [{ match: { prefix: '/' }, route: { cluster: name, timeout: '0s' } }],
  }))
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'outbound',
    codec_type: 'AUTO',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    route_config: { name: 'outbound', virtual_hosts: virtualHosts },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } }],
  }
  return {
    static_resources: {
      listeners: [
        {
          name: 'outbound',
          address: socketAddress(ports.listen),
          filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
        },
      ],
      clusters,
    },
  }
}

function cluster(name: string, port: number, protocol: 'http' | 'grpc'): unknown {
  const http2 = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  }
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }] },
    ...(protocol === 'grpc' ? { typed_extension_protocol_options: http2 } : {}),
  }
}

function socketAddress(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } }
}
