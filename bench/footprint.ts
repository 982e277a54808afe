import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { freePort } from '../test/support/redis.ts'
import { startVendor } from './egress/ambassadors.ts'
import { buildSallyport } from './harness/build.ts'
import { type Children, openChildren } from './harness/children.ts'
import { residentMiB } from './harness/proc.ts'
import { spreadOf } from './report/statistics.ts'
import { columns, figure } from './report/table.ts'

/*
 * What an ambassador takes in the two forms of `deploy/`: time from its start to readiness, and resident memory then, after 10,000 calls, and after
 * a rest. One per workload, and one per node for the services and callers of many.
 * `node bench/footprint.ts [--starts 3] [--calls 10000] [--rest 10]`: under three minutes.
 */

const { values } = parseArgs({
  options: { starts: { type: 'string', default: '3' }, calls: { type: 'string', default: '10000' }, rest: { type: 'string', default: '10' } },
})
const [starts, calls, restSeconds] = [Number(values.starts), Number(values.calls), Number(values.rest)]
const atOnce = 16

interface Form {
  readonly name: string
  readonly services: number
  readonly callers: number
  /** As the manifest sets it for this form, beyond what all have. */
  readonly flags: readonly string[]
  readonly nodeFlags: readonly string[]
}

const forms: readonly Form[] = [
  { name: 'sidecar', services: 1, callers: 1, flags: ['--lame-duck', '0s', '--drain', '1s'], nodeFlags: ['--max-semi-space-size=4'] },
  { name: 'node agent', services: 20, callers: 50, flags: ['--lame-duck', '0s', '--drain', '1s'], nodeFlags: [] },
]

interface Taken {
  readonly readyMs: number
  readonly startedMiB: number
  readonly workedMiB: number
  readonly restedMiB: number
}

function policyOf({ services, callers }: Form, ports: { readonly egress: number; readonly admin: number }, vendor: number): object {
  const names = Array.from({ length: callers }, (_, at) => `caller-${at}`)
  const service = (at: number) => ({
    host: `service-${at}.egress.internal`,
    callers: names,
    allow: [
      { methods: ['POST'], path: '/v1/charges' },
      { methods: ['GET'], path: '/v1/charges/{id}' },
    ],
    environments: {
      test: { target: `http://127.0.0.1:${vendor}`, allowAddresses: ['127.0.0.0/8'], inject: { header: 'authorization', secret: `env:VENDOR_${at}` } },
      prod: { target: `https://api-${at}.vendor.example`, inject: { header: 'authorization', secret: `env:VENDOR_LIVE_${at}` } },
    },
  })
  return {
    sallyport: 'v1',
    environments: { test: { class: 'nonprod' }, prod: { class: 'prod' } },
    listeners: { egress: { address: `127.0.0.1:${ports.egress}` }, admin: { address: `127.0.0.1:${ports.admin}` } },
    callers: Object.fromEntries(names.map((name) => [name, { listener: 'egress' }])),
    egress: Object.fromEntries(Array.from({ length: services }, (_, at) => [`service-${at}`, service(at)])),
  }
}

async function measured(form: Form, children: Children, sallyport: readonly string[], vendor: number, folder: string): Promise<Taken> {
  const ports = { egress: await freePort(), admin: await freePort() }
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'egress.json'), JSON.stringify(policyOf(form, ports, vendor)))
  const [command = process.execPath, ...words] = sallyport
  const begun = performance.now()
  const flags = ['--policies', folder, '--env', 'test', '--log-to', '/dev/null', '--log-format', 'json', ...form.flags]
  const child = children.spawn(command, [...form.nodeFlags, ...words, 'serve', ...flags], undefined)
  try {
    await untilReady(`http://127.0.0.1:${ports.admin}/readyz`, () => child.complaint())
    const readyMs = performance.now() - begun
    const startedMiB = residentMiB(child.pid)
    await callAll(form, ports.egress)
    const workedMiB = residentMiB(child.pid)
    await pause(restSeconds * 1000)
    return { readyMs, startedMiB, workedMiB, restedMiB: residentMiB(child.pid) }
  } finally {
    await child.close()
  }
}

async function untilReady(url: string, complaint: () => string): Promise<void> {
  const until = performance.now() + 30_000
  for (;;) {
    const status = await request(url).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode
      },
      () => 0,
    )
    if (status === 200) return
    if (performance.now() > until) throw new Error(`it is not ready: ${complaint()}`)
    await pause(5)
  }
}

/** Calls of every service in turn, with its credential. @throws Error for one that fails. */
async function callAll({ services }: Form, port: number): Promise<void> {
  const agent = new Agent({ connections: atOnce })
  let next = 0
  const caller = async () => {
    while (next < calls) {
      const at = next++
      const headers = { host: `service-${at % services}.egress.internal` }
      const { statusCode, body } = await request(`http://127.0.0.1:${port}/v1/charges/${at}`, { dispatcher: agent, headers })
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`${statusCode} ${text}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, caller))
  await agent.close()
}

const folder = await mkdtemp(join(tmpdir(), 'sallyport-footprint-'))
const children = openChildren()
try {
  for (let at = 0; at < Math.max(...forms.map(({ services }) => services)); at++) process.env[`VENDOR_${at}`] = `key-of-vendor-${at}`
  const { command, kind } = await buildSallyport(folder, children)
  const vendor = await startVendor({ children, folder, pinning: undefined, sallyport: command, nodeFlags: [] })
  const taken: Taken[][] = forms.map(() => [])
  for (let round = 0; round < starts; round++)
    for (const [at, form] of forms.entries()) taken[at]?.push(await measured(form, children, command, vendor.http, join(folder, `${at}-${round}`)))
  const rows = forms.map(({ name, services, callers }, at) => {
    const median = (of: (one: Taken) => number) => figure(spreadOf((taken[at] ?? []).map(of)).median)
    return [
      `${name}: ${services === 1 ? '1 service' : `${services} services`}, ${callers === 1 ? '1 caller' : `${callers} callers`}`,
      median(({ readyMs }) => readyMs),
      median(({ startedMiB }) => startedMiB),
      median(({ workedMiB }) => workedMiB),
      median(({ restedMiB }) => restedMiB),
    ]
  })
  console.log(
    [
      `Node ${process.version}, Sallyport from ${kind}, ${starts} starts of each in turn, medians`,
      '',
      columns([['', 'ready after ms', 'RSS MiB then', `after ${calls} calls`, `${restSeconds} s later`], ...rows]),
    ].join('\n'),
  )
} finally {
  await children.closeAll()
  await rm(folder, { recursive: true, force: true })
}
