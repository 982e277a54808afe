import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { expect, test, vi } from 'vitest'
import { type Started, startServe } from '../support/command.ts'
import { untilTheEnd } from '../support/keep.ts'
import { openHttp, shopDescriptors } from '../support/shop.ts'

const keep = untilTheEnd()
const hook = fileURLToPath(new URL('../support/loaded-packages.ts', import.meta.url))

const ambassador = (vendor: number) => `sallyport: v1
environments: { test: { class: nonprod } }
listeners: { egress: { address: "127.0.0.1:0" }, admin: { address: "127.0.0.1:0" } }
callers: { shop: { listener: egress } }
egress:
  payments:
    host: payments.egress.internal
    callers: [shop]
    allow: [{ methods: [GET], path: /v1/charges }]
    environments:
      test: { target: "http://127.0.0.1:${vendor}", allowAddresses: [127.0.0.0/8] }
`

const wayIn = `sallyport: v1
listeners: { public: { address: "127.0.0.1:0" } }
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: anybody, timeout: 5s, to: orders }
access:
  anybody: { rules: [{ id: all, allow: { anonymous: true }, when: 'request.method == "GET"' }] }
clusters:
  orders: { protocol: grpc, address: "127.0.0.1:1", descriptors: shop.binpb }
`

/** Packages that the process has loaded so far. */
async function loadedBy({ child, err }: Started): Promise<readonly string[]> {
  const before = err().length
  child.kill('SIGUSR2')
  const line = await vi.waitFor(() => {
    const found = /^loaded: (.*)\n/m.exec(err().slice(before))?.[1]
    if (found === undefined) throw new Error(`no such line in:\n${err()}`)
    return found
  })
  return line.split(' ')
}

test('an ambassador loads what its policies need and no more; what other policies need comes when they are loaded, before any request', async () => {
  const vendor = await openHttp(keep, (_, response) => void response.end('charges'))
  const served = await startServe(keep, { 'egress.yaml': ambassador(vendor), 'shop.binpb': shopDescriptors }, 'test', {
    variables: { NODE_OPTIONS: `--import=${hook}` },
  })
  const answer = await request(`http://127.0.0.1:${served.port('egress')}/v1/charges`, { headers: { host: 'payments.egress.internal' } })
  await answer.body.dump()
  expect(answer.statusCode).toBe(200)
  const metrics = await request(`http://127.0.0.1:${served.port('admin')}/metrics`)
  await metrics.body.dump()
  // A package more is weight that every sidecar carries: load it late, or add it here for a reason.
  const least = ['@hono/node-server', 'hono', 'http-cache-semantics', 'ipaddr.js', 'jose', 'oauth4webapi', 'rate-limiter-flexible', 're2js', 'ws']
  expect(await loadedBy(served)).toEqual(least)

  await served.policies.write('public.yaml', wayIn)
  await served.entry((line) => line['event'] === 'policy_published')
  expect(await loadedBy(served)).toEqual(expect.arrayContaining(['@bufbuild/protobuf', '@grpc/grpc-js', '@marcbachmann/cel-js']))
})
