import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificates } from '../../test/support/certificates.ts'
import { freePort } from '../../test/support/redis.ts'
import { untilListening } from '../harness/ask.ts'
import type { Children } from '../harness/children.ts'
import { findProgram, outputOf, type Pinning } from '../harness/machine.ts'
import type { Child } from '../model.ts'

/** Where calls go in the end, and what is needed to go there. */
export interface Vendor {
  readonly http: number
  readonly https: number
  /** File of the authority of its certificate, which is for `localhost`. */
  readonly ca: string
  readonly children: readonly [http: Child, https: Child]
}

/** A program that calls the vendor for others. */
export interface Ambassador {
  readonly name: string
  readonly version: string
  readonly child: Child
  /** One for each way of calling. */
  readonly ports: Readonly<Record<Way, number>>
}

/** Plain forwarding, with a credential put in, and over TLS that is verified. */
export const ways = ['http', 'key', 'https'] as const
export type Way = (typeof ways)[number]

export interface World {
  readonly children: Children
  readonly folder: string
  readonly pinning: Pinning | undefined
  /** How Sallyport is run. */
  readonly sallyport: readonly string[]
  readonly nodeFlags: readonly string[]
}

const secret = 'bench-vendor-key'
/** Read by Sallyport out of its own environment. */
const secretName = 'BENCH_VENDOR_KEY'

/** Starts the vendor: the same answer in clear text and over TLS. */
export async function startVendor({ children, folder, pinning }: World): Promise<Vendor> {
  const program = join(import.meta.dirname, '../programs/http-backend.ts')
  const { ca, issue } = await makeCertificates()
  const { certificate, key } = await issue({ dns: 'localhost', ip: '127.0.0.1' })
  const files = { ca: join(folder, 'vendor-ca.pem'), certificate: join(folder, 'vendor.pem'), key: join(folder, 'vendor-key.pem') }
  await Promise.all([writeFile(files.ca, ca), writeFile(files.certificate, certificate), writeFile(files.key, key, { mode: 0o600 })])
  const start = async (...more: readonly string[]) => {
    const port = await freePort()
    const child = children.spawn(process.execPath, [program, `${port}`, ...more], pinning?.others)
    await untilListening(port, child, 'the vendor')
    return [port, child] as const
  }
  const [http, httpChild] = await start()
  const [https, httpsChild] = await start(files.certificate, files.key)
  return { http, https, ca: files.ca, children: [httpChild, httpsChild] }
}

/** One Sallyport with a service for each way, as it stands beside one workload. */
export async function startSallyport({ children, folder, pinning, sallyport, nodeFlags }: World, vendor: Vendor): Promise<Ambassador> {
  const ports = await freePorts()
  const local = { allowAddresses: ['127.0.0.0/8', '::1/128'] }
  const service = (way: Way, target: object) => ({
    listen: `127.0.0.1:${ports[way]}`,
    callers: ['shop'],
    allow: [{ methods: ['GET'], path: '/v1/charges/{id}' }],
    timeout: { total: '5s' },
    environments: { dev: { ...local, ...target } },
  })
  const clear = `http://127.0.0.1:${vendor.http}`
  const policies = join(folder, 'egress-policies')
  await mkdir(policies, { recursive: true })
  await writeFile(
    join(policies, 'egress.json'),
    JSON.stringify({
      sallyport: 'v1',
      environments: { dev: { class: 'nonprod' } },
      callers: { shop: { listener: 'egress' } },
      egress: {
        plain: service('http', { target: clear }),
        keyed: service('key', { target: clear, inject: { header: 'authorization', format: 'Bearer {secret}', secret: `env:${secretName}` } }),
        secure: service('https', { target: `https://localhost:${vendor.https}`, ca: `file:${vendor.ca}` }),
      },
    }),
  )
  process.env[secretName] = secret
  const [command = process.execPath, ...args] = sallyport
  const flags = ['--policies', policies, '--env', 'dev', '--log-to', '/dev/null', '--log-format', 'json', '--lame-duck', '0s', '--drain', '1s']
  const child = children.spawn(command, [...nodeFlags, ...args, 'serve', ...flags], pinning?.underTest)
  await Promise.all(ways.map((way) => untilListening(ports[way], child, 'sallyport')))
  return { name: 'sallyport', version: 'of this tree', child, ports }
}

export const haproxyInstall = 'apt-get install haproxy'

/** One HAProxy with one thread that forwards, and nothing else. Undefined where it is not installed. */
export async function startHaproxy({ children, folder, pinning }: World, vendor: Vendor): Promise<Ambassador | undefined> {
  const program = findProgram('haproxy')
  if (program === undefined) return undefined
  const ports = await freePorts()
  const proxy = (way: Way, lines: readonly string[]) => `listen ${way}\n  bind 127.0.0.1:${ports[way]}\n  ${lines.join('\n  ')}\n`
  const clear = `server vendor 127.0.0.1:${vendor.http}`
  const file = join(folder, 'haproxy.cfg')
  await writeFile(
    file,
    `global
  nbthread 1
  maxconn 1000
defaults
  mode http
  http-reuse always
  timeout connect 2s
  timeout client 60s
  timeout server 60s
${proxy('http', [clear])}${proxy('key', [`http-request set-header authorization "Bearer ${secret}"`, clear])}\
${proxy('https', [`server vendor 127.0.0.1:${vendor.https} ssl verify required ca-file ${vendor.ca} verifyhost localhost sni str(localhost)`])}`,
  )
  const child = children.spawn(program, ['-db', '-q', '-f', file], pinning?.underTest)
  await Promise.all(ways.map((way) => untilListening(ports[way], child, 'haproxy')))
  return { name: 'haproxy', version: /version (\S+)/.exec((await outputOf(program, ['-v'])) ?? '')?.[1] ?? 'haproxy', child, ports }
}

async function freePorts(): Promise<Readonly<Record<Way, number>>> {
  return { http: await freePort(), key: await freePort(), https: await freePort() }
}
