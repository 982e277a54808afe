import type { Issuer } from './issuer.ts'
import { differences, nameToken, requestStep, type Shown, type Step, send } from './step.ts'
import type { Vendor } from './vendor/vendor.ts'
import type { Workspace } from './workspace.ts'

export interface DemoWorld {
  readonly workspace: Workspace
  readonly issuer: Issuer
  readonly live: Vendor
  /** Resolves when a revision other than `revision` is in force. */
  readonly revisionAfter: (revision: string) => Promise<string>
  readonly revision: () => string
}

/** Everything the demo shows, in the order of a first visit. */
export async function demoSteps(world: DemoWorld): Promise<readonly Step[]> {
  const ada = nameToken(await world.issuer.mint('ada', { scope: 'orders:read orders:write', tenant: 'red' }), 'ADA')
  const bob = nameToken(await world.issuer.mint('bob', { scope: 'profile', tenant: 'red' }), 'BOB')
  return [
    ...identitySteps(world, ada, bob),
    ...translationSteps(world, ada),
    limitStep(world),
    splitStep(world),
    pinStep(world, ada),
    ...egressSteps(world),
    editStep(world),
  ]
}

/** How to get the tokens that the commands name. */
export function tokenCommands(world: DemoWorld): readonly string[] {
  return [`ADA=${tokenCommand(world, 'ada')}`, `BOB=${tokenCommand(world, 'bob')}`]
}

function tokenCommand(world: DemoWorld, client: string): string {
  return `$(curl -s -u ${client}:demo-secret -d grant_type=client_credentials ${world.issuer.url}/token | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`
}

const gate = (world: DemoWorld): string => `http://127.0.0.1:${world.workspace.ports.public}`
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

function identitySteps(world: DemoWorld, ada: string, bob: string): readonly Step[] {
  return [
    requestStep(
      'No token: refused, with a challenge',
      { url: `${gate(world)}/v1/orders/7` },
      { status: 401, json: { code: 'unauthenticated' }, headers: { 'www-authenticate': '*' } },
    ),
    requestStep(
      'A token without the scope: refused, and the answer names the rule (outside production)',
      { url: `${gate(world)}/v1/orders/7`, headers: bearer(bob) },
      { status: 403, json: { code: 'scope_insufficient', rule: 'orders/read' }, headers: { 'www-authenticate': '*' } },
    ),
    requestStep(
      "Another tenant's order: a deny rule wins over every scope",
      { url: `${gate(world)}/v1/tenants/blue/orders/8`, headers: bearer(ada) },
      { status: 403, json: { code: 'forbidden', rule: 'orders/own-tenant-only' } },
    ),
    requestStep(
      'Nor under its plain path: the gateway tells the service the verified tenant, whatever the client claims',
      { url: `${gate(world)}/v1/orders/8`, headers: { ...bearer(ada), 'x-tenant': 'blue' } },
      { status: 404, json: { code: 5, message: 'no order 8' } },
    ),
    requestStep(
      'The public catalog: no token needed, plain HTTP to the mesh',
      { url: `${gate(world)}/catalog/books/b-1` },
      { status: 200, json: { sku: 'b-1' }, headers: { ratelimit: '*' } },
    ),
  ]
}

function translationSteps(world: DemoWorld, ada: string): readonly Step[] {
  const url = `${gate(world)}/v1/orders:watch?count=3&interval_ms=50`
  return [
    requestStep(
      'HTTP and JSON outside, gRPC inside: read an order',
      { url: `${gate(world)}/v1/orders/7`, headers: bearer(ada) },
      { status: 200, json: { id: '7', total: '4990', status: 'ORDER_STATUS_OPEN', servedBy: 'orders-v1' }, headers: { ratelimit: '*' } },
    ),
    requestStep(
      'JSON to gRPC and back: make one',
      {
        url: `${gate(world)}/v1/orders`,
        headers: bearer(ada),
        json: { order: { tenant: 'red', currency: 'EUR', total: '1990', items: [{ sku: 'b-1', quantity: 1, unitPrice: '1990' }] } },
      },
      { status: 200, json: { tenant: 'red', total: '1990', status: 'ORDER_STATUS_OPEN' } },
    ),
    requestStep(
      'A mistake in the JSON is the client’s, and says where',
      { url: `${gate(world)}/v1/orders`, headers: bearer(ada), json: { order: { total: 'much' } } },
      { status: 400, json: { code: 'body_invalid' } },
    ),
    requestStep('An error of the service keeps its meaning', { url: `${gate(world)}/v1/orders/404`, headers: bearer(ada) }, { status: 404, json: { code: 5 } }),
    {
      title: 'A server stream becomes NDJSON, line by line',
      command: `curl -sN -H "authorization: Bearer $ADA" '${url}'`,
      run: async () => {
        const answer = await send({ url, headers: bearer(ada) })
        const lines = answer.text.trimEnd().split('\n')
        const problems = [...differences(answer, { status: 200, headers: { 'content-type': 'application/x-ndjson' } })]
        if (lines.length !== 3) problems.push(`${lines.length} lines instead of 3`)
        return { lines: ['200', ...lines], problems }
      },
    },
  ]
}

function limitStep(world: DemoWorld): Step {
  const url = `${gate(world)}/v1/orders/7`
  return {
    title: 'The limit: 30 requests in 10 seconds for each subject, then 429 with the standard headers',
    command: `for i in $(seq 31); do curl -s -o /dev/null -w '%{http_code}\\n' -H "authorization: Bearer $ADA" '${url}'; done | sort | uniq -c`,
    run: async () => {
      const token = await world.issuer.mint('greedy', { scope: 'orders:read' })
      const counts = new Map<number, number>()
      let refused: Shown = { lines: [], problems: ['31 requests passed'] }
      for (let i = 0; i < 31; i++) {
        const answer = await send({ url, headers: bearer(token) })
        counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1)
        if (answer.status !== 429) continue
        const shown = ['ratelimit-policy', 'ratelimit', 'retry-after'].map((name) => `${name}: ${answer.headers[name]}`)
        refused = {
          lines: ['429', ...shown, answer.text],
          problems: differences(answer, {
            status: 429,
            json: { code: 'rate_limited' },
            headers: { 'retry-after': '*', ratelimit: '*', 'ratelimit-policy': '*' },
          }),
        }
      }
      const tally = [...counts].map(([status, count]) => `${count} x ${status}`).join(', ')
      return {
        lines: [tally, ...refused.lines],
        problems: counts.get(200) === 30 ? refused.problems : [...refused.problems, `${counts.get(200)} requests passed instead of 30`],
      }
    },
  }
}

function splitStep(world: DemoWorld): Step {
  const url = `${gate(world)}/v1/orders/7`
  return {
    title: 'The split: nine of ten subjects see v1, and each stays where it is',
    command: `for i in $(seq 50); do T=${tokenCommand(world, 'guest-$i')}; curl -s -H "authorization: Bearer $T" '${url}'; echo; done | grep -o 'orders-v[12]' | sort | uniq -c`,
    run: async () => {
      const served = new Map<string, number>()
      let moved = 0
      for (let i = 0; i < 300; i++) {
        const headers = bearer(await world.issuer.mint(`guest-${i}`, { scope: 'orders:read' }))
        const [first, second] = [await send({ url, headers }), await send({ url, headers })].map((answer) =>
          String((answer.json as { servedBy?: string } | undefined)?.servedBy),
        )
        served.set(first as string, (served.get(first as string) ?? 0) + 1)
        if (first !== second) moved += 1
      }
      const share = (served.get('orders-v2') ?? 0) / 300
      const problems = share > 0.04 && share < 0.17 && served.size === 2 ? [] : [`v2 got ${Math.round(share * 100)} % of the subjects`]
      if (moved > 0) problems.push(`${moved} subjects moved between versions`)
      return { lines: [[...served].map(([version, count]) => `${version}: ${count}`).join(', '), `${moved} of 300 moved`], problems }
    },
  }
}

function pinStep(world: DemoWorld, ada: string): Step {
  return requestStep(
    'A header pins a caller to v2, whatever its side of the split',
    { url: `${gate(world)}/v1/orders/7`, headers: { ...bearer(ada), 'x-version': 'v2' } },
    { status: 200, json: { servedBy: 'orders-v2' } },
  )
}

function egressSteps(world: DemoWorld): readonly Step[] {
  const payments = `http://127.0.0.1:${world.workspace.ports.payments}/v1/charges`
  const charge = { amount: 1990, currency: 'EUR' }
  const refunds = requestStep(
    'Nor by an address that hides behind another name: the guard looks at what the name resolves to',
    { url: `http://127.0.0.1:${world.workspace.ports.egress}/v1/charges`, headers: { host: 'refunds.egress.internal', 'x-egress-env': 'test' }, json: charge },
    { status: 403, json: { code: 'address_denied' } },
  )
  return [
    requestStep(
      'A service calls its vendor through the ambassador: in dev a mock answers',
      { url: payments, json: charge },
      { status: 201, json: { from: 'mock' }, headers: { 'x-egress-mode': 'mock', 'x-egress-env': 'dev' } },
    ),
    requestStep(
      'The same port in test: the sandbox, with a key that the service never sees',
      { url: payments, headers: { 'x-egress-env': 'test' }, json: charge },
      { status: 201, json: { from: 'sandbox' }, headers: { 'x-egress-mode': 'live', 'x-egress-env': 'test' } },
    ),
    requestStep(
      'Production cannot be reached from here, whatever the caller says',
      { url: payments, headers: { 'x-egress-env': 'prod' }, json: charge },
      { status: 403, json: { code: 'env_denied' }, headers: { 'proxy-status': '*' } },
    ),
    {
      ...refunds,
      run: async () => {
        const shown = await refunds.run()
        const calls = world.live.calls()
        return {
          lines: [...shown.lines, `the live vendor was called ${calls} times`],
          problems: calls === 0 ? shown.problems : [...shown.problems, `the live vendor was called ${calls} times`],
        }
      },
    },
  ]
}

function editStep(world: DemoWorld): Step {
  const file = 'catalog.yaml'
  const url = `${gate(world)}/catalog/books/b-1`
  return {
    title: 'A policy edit takes effect without a restart',
    command: `sed -i 's/id: public, allow: { anonymous: true }/id: public, allow: { anonymous: true, methods: [HEAD] }/' ${world.workspace.policies}/${file}; sleep 1; curl -si '${url}'`,
    run: async () => {
      const before = await send({ url })
      const first = world.revision()
      await world.workspace.edit(file, (text) => text.replace('anonymous: true }', 'anonymous: true, methods: [HEAD] }'))
      const second = await world.revisionAfter(first)
      const edited = await send({ url })
      await world.workspace.edit(file, (text) => text.replace('anonymous: true, methods: [HEAD] }', 'anonymous: true }'))
      const third = await world.revisionAfter(second)
      const after = await send({ url })
      const statuses = [before, edited, after].map((answer) => answer.status)
      const problems = statuses.join() === '200,403,200' ? [] : [`statuses ${statuses.join(', ')} instead of 200, 403, 200`]
      if (third !== first) problems.push(`revision ${third} after taking the edit back, ${first} before`)
      return {
        lines: [
          `before the edit ${statuses[0]} (revision ${first})`,
          `after it ${statuses[1]} (revision ${second})`,
          `taken back ${statuses[2]} (revision ${third})`,
        ],
        problems,
      }
    },
  }
}
