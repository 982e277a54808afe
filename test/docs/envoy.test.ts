import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { parse } from 'yaml'
import { startCatalog } from '../../src/node/demo/mesh/catalog.ts'
import { findEnvoy } from '../../src/node/demo/mesh/envoy.ts'
import { freePort } from '../../src/node/demo/workspace.ts'
import { hasEnvoy } from '../support/real.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { textOf } from './pages.ts'

const file = 'deploy/envoy/outbound.yaml'

it('deploy/envoy/outbound.yaml knows every authority that the policies of the shop name, at the address they dial', () => {
  const policies = ['orders', 'catalog'].map((name) => parse(textOf(`policies/${name}.yaml`)) as { readonly clusters: Readonly<Record<string, Cluster>> })
  const clusters = policies.flatMap((policy) => Object.values(policy.clusters))
  const authorities = clusters.flatMap(({ authority, subsets }) => [authority, ...Object.values(subsets ?? {}).map((subset) => subset.authority)])
  for (const authority of authorities) expect(textOf(file)).toContain(`domains: [${authority}, `)
  expect(new Set(clusters.map(({ address }) => address))).toEqual(new Set(['127.0.0.1:15001']))
})

interface Cluster {
  readonly address: string
  readonly authority: string
  readonly subsets?: Readonly<Record<string, { readonly authority: string }>>
}

it.skipIf(!hasEnvoy())('a real Envoy with deploy/envoy/outbound.yaml routes by authority', { timeout: 30_000 }, async () => {
  const catalog = await startCatalog(0)
  onTestFinished(() => catalog.close())
  const listen = await freePort()
  // The ports are the only thing that differs: those of the file may be taken.
  const folder = await tempFolder({
    'envoy.yaml': textOf(file).replaceAll('port_value: 15001', `port_value: ${listen}`).replaceAll('port_value: 50053', `port_value: ${catalog.port}`),
  })
  const envoy = spawn(
    findEnvoy(process.env) ?? '',
    ['-c', join(folder.path, 'envoy.yaml'), '--disable-hot-restart', '--concurrency', '1', '--log-level', 'error'],
    { stdio: 'ignore' },
  )
  onTestFinished(async () => {
    envoy.kill('SIGTERM')
    if (envoy.exitCode === null) await once(envoy, 'exit')
  })
  const answered = await vi.waitFor(() => ask(listen, 'catalog.shop.svc.cluster.local'), { timeout: 20_000, interval: 50 })
  expect(answered).toBe(200)
  expect(await ask(listen, 'nobody.shop.svc.cluster.local')).toBe(404)
})

function ask(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = request({ port, host: '127.0.0.1', path: '/catalog/books', headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    call.on('error', reject).end()
  })
}
