import { writeFile } from 'node:fs/promises'
import { Agent, request as ask, createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { entryOf, openConsul } from '../support/consul.ts'
import { openDnsServer } from '../support/dns-server.ts'
import { openGateway } from '../support/gateway.ts'
import { openKubernetes } from '../support/kubernetes.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** A service that says by which port it was reached. */
async function openService(): Promise<number> {
  const server = createServer((request, response) => {
    response.end(String(request.socket.localPort))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : 0
}

function get(agent: Agent, port: number, path: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const request = ask({ agent, host: '127.0.0.1', port, path }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end()
  })
}

test('0 of 5,000 requests fail while every source goes empty, flaps, hangs, breaks and lies', { timeout: 120_000 }, async () => {
  const [one, two] = [await openService(), await openService()]
  const both = [one, two].map((port) => ({ host: '127.0.0.1', port }))
  const slice = (name: string, port: number) => ({ name, endpoints: [{ address: '127.0.0.1' }], ports: [{ name: 'http', port }] })
  const consul = await openConsul(onTestFinished, both)
  const kubernetes = await openKubernetes(onTestFinished, [slice('a', one), slice('b', two)])
  const dns = await openDnsServer(onTestFinished)
  const folder = await tempFolder()
  const file = join(folder.path, 'orders.yaml')
  await writeFile(file, `- 127.0.0.1:${one}\n- 127.0.0.1:${two}\n`)
  const srv = [
    { type: 'SRV', ttl: 1, data: `10 1 ${one} here.mesh` },
    { type: 'SRV', ttl: 1, data: `10 1 ${two} here.mesh` },
  ] as const
  const here = [{ type: 'A', ttl: 1, data: '127.0.0.1' }] as const
  dns.on('_http._tcp.orders.mesh', srv)
  dns.on('here.mesh', here)

  const kinds = ['file', 'dns', 'srv', 'consul', 'kubernetes'] as const
  const gateway = await openGateway(
    onTestFinished,
    {
      'gateway.yaml': `
environments: { dev: { class: nonprod } }
listeners: { public: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
clusters:
  file: { endpoints: { file: ${file} } }
  dns: { endpoints: { dns: here.mesh, port: ${one} } }
  srv: { endpoints: { srv: _http._tcp.orders.mesh } }
  consul: { endpoints: { consul: { address: "${consul.url}", service: orders } } }
  kubernetes: { endpoints: { kubernetes: { apiServer: "${kubernetes.url}", token: "env:TOKEN", ca: "env:TOKEN", namespace: shop, service: orders, port: http } } }
access:
  anybody: { rules: [{ id: all, allow: { anonymous: true } }] }
routes:
${kinds.map((kind) => `  ${kind}: { match: { path: /${kind} }, access: anybody, to: ${kind} }`).join('\n')}
`,
    },
    { variables: { SALLYPORT_DNS: dns.address, TOKEN: 'token-of-a-test' } },
  )
  const port = gateway.port('public')
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  onTestFinished(() => agent.destroy())

  const reached = async (kind: string) => new Set(await Promise.all([1, 2, 3, 4].map(async () => (await get(agent, port, `/${kind}`)).text)))
  for (const kind of kinds) expect(await reached(kind), kind).toEqual(new Set(kind === 'dns' ? [`${one}`] : [`${one}`, `${two}`]))

  const json = { 'content-type': 'application/json', 'x-consul-index': '999' }
  const lies = [
    async () => {
      consul.register([])
      kubernetes.remove('a')
      kubernetes.remove('b')
      dns.on('here.mesh', 'nxdomain')
      dns.on('_http._tcp.orders.mesh', [])
      await writeFile(file, '')
    },
    async () => {
      consul.register(both)
      kubernetes.put(slice('a', one))
      kubernetes.put(slice('b', two))
      dns.on('here.mesh', 'servfail')
      dns.on('_http._tcp.orders.mesh', 'garbage')
      await writeFile(file, `- 127.0.0.1:${one}\n- 127.0.`)
    },
    async () => {
      consul.say((_request, response) => response.writeHead(200, json).end('{"lie":'))
      kubernetes.send('{"type":"MODIFIED","object":{"metadata":{}}}\n')
      dns.on('here.mesh', 'silence')
      dns.on('_http._tcp.orders.mesh', 'silence')
      await folder.write('orders.yaml', '[]')
    },
    async () => {
      // Hangs.
      consul.say(() => {})
      kubernetes.say(() => {})
      consul.cut()
      kubernetes.cut()
    },
    async () => {
      consul.say((_request, response) => response.writeHead(500).end())
      kubernetes.say((_request, response) => response.writeHead(503).end())
      consul.cut()
      kubernetes.cut()
      await folder.write('orders.yaml', 'lie: true')
    },
    async () => {
      // Flaps to half of what there is.
      consul.recover()
      consul.register(both.slice(0, 1))
      kubernetes.recover()
      await writeFile(file, `- 127.0.0.1:${two}\n`)
    },
  ]
  const failed: string[] = []
  let sent = 0
  const batch = 100
  for (const [turn, lie] of lies.entries()) {
    await lie()
    // Long enough for times to live of a second, so that every source is really asked while it lies.
    const until = performance.now() + 1_500
    while (sent < ((turn + 1) * 5_000) / lies.length || performance.now() < until) {
      const answers = await Promise.all(Array.from({ length: batch }, (_, at) => get(agent, port, `/${kinds[at % kinds.length]}`)))
      for (const { status, text } of answers) if (status !== 200) failed.push(`${status} ${text}`)
      sent += batch
    }
  }
  expect(failed).toEqual([])
  expect(sent).toBeGreaterThanOrEqual(5_000)

  const metrics = await gateway.admin('/metrics')
  for (const kind of kinds) expect(metrics).toMatch(new RegExp(`sallyport_discovery_age_seconds\\{cluster="${kind}",source="${kind} [^"]+"\\} [0-9.e-]+`))
  for (const kind of kinds)
    expect(metrics).toMatch(new RegExp(`sallyport_discovery_failures_total\\{source="${kind} [^"]+",reason="(?:failed|empty)"\\} [1-9]`))
  const page = await gateway.admin('/')
  expect(page).toContain('Endpoint sources')

  // Everything tells the truth again: it is believed.
  const three = await openService()
  consul.recover()
  kubernetes.recover()
  consul.register([...both, { host: '127.0.0.1', port: three }])
  for (const [name, at] of [
    ['a', one],
    ['b', two],
    ['c', three],
  ] as const)
    kubernetes.put(slice(name, at))
  dns.on('here.mesh', here)
  dns.on('_http._tcp.orders.mesh', [...srv, { type: 'SRV', ttl: 1, data: `10 1 ${three} here.mesh` }])
  await folder.write('orders.yaml', `- 127.0.0.1:${one}\n- 127.0.0.1:${two}\n- 127.0.0.1:${three}\n`)
  for (const kind of kinds.filter((one) => one !== 'dns'))
    await vi.waitFor(async () => expect(await reached(kind)).toContain(`${three}`), { timeout: 40_000, interval: 50 })
})

test('a source that has not answered yet holds requests up to their deadline; then there is no endpoint', { timeout: 60_000 }, async () => {
  const consul = await openConsul(onTestFinished, [])
  const asking = Promise.withResolvers<ServerResponse>()
  consul.say((_request, response) => asking.resolve(response))
  const service = await openService()
  const gateway = await openGateway(onTestFinished, {
    'gateway.yaml': `
environments: { dev: { class: nonprod } }
listeners: { public: { address: 127.0.0.1:0 } }
clusters:
  orders: { endpoints: { consul: { address: "${consul.url}", service: orders } } }
access:
  anybody: { rules: [{ id: all, allow: { anonymous: true } }] }
routes:
  soon: { match: { path: /soon }, access: anybody, to: orders, timeout: 200ms }
  late: { match: { path: /late }, access: anybody, to: orders, timeout: 50s }
`,
  })
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  const late = get(agent, gateway.port('public'), '/late')
  const refused = await get(agent, gateway.port('public'), '/soon')
  expect(refused.status).toBe(503)
  expect(refused.text).toContain('upstream_unavailable')
  const answer = await asking.promise
  consul.recover()
  answer.writeHead(200, { 'content-type': 'application/json', 'x-consul-index': '10' }).end(JSON.stringify([entryOf({ host: '127.0.0.1', port: service })]))
  expect(await late).toEqual({ status: 200, text: `${service}` })
})
