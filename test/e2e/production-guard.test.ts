import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { beforeAll, describe, expect, it } from 'vitest'
import { startLive } from '../../src/node/demo/vendor/vendor.ts'
import { type Answer, bytes, clients, h2c, http1, type Sent } from '../support/clients.ts'
import { type Served, startServe } from '../support/command.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp } from '../support/shop.ts'
import { openTurnstile, type Turnstile } from '../support/turnstile.ts'

const keep = untilTheEnd()
const liveKey = 'sk_live_e2e'
const loopback = 'allowAddresses: ["127.0.0.0/8", "::1/128", "0.0.0.0/8"]'

/** The same vendor three times, counted at its ports: a sandbox, and production over TLS and in clear text. */
let sandbox: Turnstile
let secure: Turnstile
let clear: Turnstile
let dev: Served
let prod: Served

/** The services of `aliases`, as policies. */
let aliasServices = ''

const liveConnections = () => secure.connections() + clear.connections()

/** Services that try to be production under another spelling, by name of the spelling. */
const aliases = new Map<string, string>()

/** Every way to write the host of production that is not its own name. */
async function spellings(): Promise<readonly (readonly [name: string, host: string])[]> {
  const named = await Promise.all(
    [hostname(), 'ip6-localhost', 'localhost.localdomain'].map(async (name) => {
      const found = await lookup(name, { all: true }).catch(() => [])
      return found.some(({ address }) => address.startsWith('127.') || address === '::1') ? [[`a hosts-file name, ${name}`, name] as const] : []
    }),
  )
  return [
    ['its own name', 'localhost'],
    ['its name in capitals', 'LOCALHOST'],
    ['its name with the final dot', 'localhost.'],
    ...named.flat(),
    ['IPv4', '127.0.0.1'],
    ['IPv6', '[::1]'],
    ['IPv6 written out', '[0:0:0:0:0:0:0:1]'],
    ['IPv4 mapped into IPv6', '[::ffff:127.0.0.1]'],
    ['IPv4 mapped, hexadecimal', '[::ffff:7f00:1]'],
    ['IPv4-compatible', '[::127.0.0.1]'],
    ['one decimal number', '2130706433'],
    ['octal', '0177.0.0.1'],
    ['hexadecimal', '0x7f.0.0.1'],
    ['one hexadecimal number', '0x7f000001'],
    ['two parts', '127.1'],
    ['the unspecified address', '0.0.0.0'],
    ['the unspecified address, IPv6', '[::]'],
    ['user information before it', 'sandbox.example@127.0.0.1'],
  ]
}

beforeAll(async () => {
  const live = await startLive(0, liveKey)
  keep(() => live.close())
  secure = await openTurnstile(keep, live.port)
  clear = await openTurnstile(keep, await openHttp(keep, (_, response) => response.end('{"from":"live in clear"}')))
  sandbox = await openTurnstile(
    keep,
    await openHttp(keep, (request, response) => {
      const moved = /^\/(30[1278])$/.exec(request.url ?? '')
      const to = `https://localhost:${secure.port}/v1/charges`
      if (moved !== null) response.writeHead(Number(moved[1]), { location: to, refresh: `0; url=${to}`, 'alt-svc': `h2="localhost:${secure.port}"` })
      else if (request.url === '/token') response.writeHead(307, { location: `https://localhost:${secure.port}/token` })
      else response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{"from":"sandbox"}')
    }),
  )
  const test = (target: string, more = '') => `test: { target: "${target}", ${loopback}${more} }`
  aliasServices = (await spellings())
    .flatMap(([name, host], at) =>
      (
        [
          [`https://${host}:${secure.port}`, 'over TLS'],
          [`http://${host}:${clear.port}`, 'in clear text'],
        ] as const
      ).map(([target, how]) => {
        const service = `alias-${at}-${how.split(' ')[1]?.toLowerCase()}`
        aliases.set(`${name}, ${how}`, service)
        return `  ${service}: { host: ${service}.internal, callers: [tester], environments: { ${test(target)} } }\n`
      }),
    )
    .join('')
  const token = (url: string) => `, oauth2: { tokenUrl: "${url}", clientId: us, clientSecret: "env:E2E_CLIENT_SECRET" }`
  const files = {
    'house.yaml': house,
    'egress.yaml': `sallyport: v1
callers:
  tester: { listener: egress, mayChooseEnv: [dev, test, prod] }
egress:
  payments:
    listen: 127.0.0.1:0
    host: payments.internal
    callers: [tester]
    environments:
      dev: { mode: deny, reason: use test }
      ${test(`http://127.0.0.1:${sandbox.port}`)}
      prod: { target: "https://localhost:${secure.port}", ${loopback}, ca: "env:E2E_LIVE_CA", inject: { header: authorization, format: "Bearer {secret}", secret: "env:E2E_LIVE_KEY" } }
  ledger:
    host: ledger.internal
    callers: [tester]
    environments:
      prod: { target: "https://localhost:${secure.port}", ${loopback}, guardHosts: ["localhost:${clear.port}", "[::1]:${clear.port}", "[::1]:${secure.port}"] }
  token-by-name: { host: token-by-name.internal, callers: [tester], environments: { ${test(`http://127.0.0.1:${sandbox.port}`, token(`https://localhost:${secure.port}/token`))} } }
  token-by-address: { host: token-by-address.internal, callers: [tester], environments: { ${test(`http://127.0.0.1:${sandbox.port}`, token(`http://127.0.0.1:${clear.port}/token`))} } }
  token-redirect: { host: token-redirect.internal, callers: [tester], environments: { ${test(`http://127.0.0.1:${sandbox.port}`, token(`http://127.0.0.1:${sandbox.port}/token`))} } }
${aliasServices}`,
    'rogue.yaml': `sallyport: v1
callers:
  rogue: { listener: "egress:rogue", environment: prod, mayChooseEnv: [prod] }
egress:
  rogue:
    listen: 127.0.0.1:0
    callers: [rogue]
    environments:
      prod: { target: "https://localhost:${secure.port}", ${loopback} }
`,
  }
  const proxy = `http://127.0.0.1:${clear.port}`
  const variables = {
    E2E_CLIENT_SECRET: 'secret',
    E2E_LIVE_CA: live.ca,
    E2E_LIVE_KEY: liveKey,
    // A machine that sends everything through a proxy, which here is production.
    ...Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'].map((name) => [name, proxy])),
    NODE_USE_ENV_PROXY: '1',
  }
  ;[dev, prod] = await Promise.all([startServe(keep, files, 'dev', { variables }), startServe(keep, files, 'prod', { variables })])
})

const charge = '{"amount":1}'
const call = (host: string, headers: Sent['headers'] = [], path = '/v1/charges'): Sent => ({
  path,
  body: charge,
  headers: [['host', host], ['content-type', 'application/json'], ...headers],
})
const codeOf = (answer: Answer): string => (JSON.parse(answer.text) as { readonly code: string }).code

describe('with SALLYPORT_ENV=dev, production is not reached', () => {
  describe.each(Object.entries(clients))('over %s', (_protocol, client) => {
    const inspected = (name: string, value: string, status: number, code: string) => ({ name, value, status, code })

    it.each([
      inspected('x-egress-env', 'prod', 403, 'env_denied'),
      inspected('x-egress-env', 'PROD', 403, 'env_denied'),
      inspected('x-egress-env', 'production', 403, 'env_denied'),
      inspected('x-egress-env', 'test, prod', 400, 'env_invalid'),
      inspected('x-egress-env', 'test;prod', 400, 'env_invalid'),
      inspected('x-egress-env', 'test prod', 400, 'env_invalid'),
      inspected('x.egress.env', 'prod', 400, 'env_invalid'),
      inspected('x-egress.env', 'prod', 400, 'env_invalid'),
      inspected('x_egress_env', 'prod', 400, 'request_invalid'),
    ])('by $name: $value', async ({ name, value, status, code }) => {
      const answer = await client(dev.port('egress:payments'), call('payments.internal', [[name, value]]))
      expect([answer.status, codeOf(answer)]).toEqual([status, code])
      expect(liveConnections()).toBe(0)
    })

    it.each([['prod'], ['test']])('by a repeated x-egress-env, ending in %s', async (last) => {
      const answer = await client(
        dev.port('egress:payments'),
        call('payments.internal', [
          ['x-egress-env', last === 'test' ? 'prod' : 'test'],
          ['x-egress-env', last],
        ]),
      )
      expect([answer.status, codeOf(answer)]).toEqual([400, 'env_invalid'])
      expect(liveConnections()).toBe(0)
    })

    it('by naming its host, in Host or behind it', async () => {
      const hosts = [`localhost:${secure.port}`, 'localhost', `127.0.0.1:${clear.port}`, `[::1]:${secure.port}`, 'payments.internal.localhost']
      for (const host of hosts) {
        const answer = await client(dev.port('egress'), call(host, [['x-egress-env', 'test']]))
        expect([host, answer.status, codeOf(answer)]).toEqual([host, 404, 'service_unknown'])
      }
      for (const host of ['payments.internal@localhost', 'localhost#.payments.internal', 'payments.internal,localhost']) {
        // HTTP/2 may find the message malformed before anybody reads it.
        const answer = await client(dev.port('egress'), call(host, [['x-egress-env', 'test']])).then(codeOf, (error: Error) => error.message)
        expect([host, answer]).toEqual([host, expect.stringMatching(/^host_invalid$|NGHTTP2_PROTOCOL_ERROR/)])
      }
      expect(liveConnections()).toBe(0)
    })

    it('by headers that steer proxies: they are not heard, and the sandbox answers', async () => {
      const before = sandbox.connections()
      const to = `localhost:${secure.port}`
      const steering = [
        ['x-forwarded-host', to],
        ['x-forwarded-server', to],
        ['x-forwarded-proto', 'https'],
        ['forwarded', `host="${to}";proto=https`],
        ['x-original-host', to],
        ['x-original-url', `https://${to}/v1/charges`],
        ['x-rewrite-url', `https://${to}/v1/charges`],
        ['x-envoy-original-dst-host', `127.0.0.1:${clear.port}`],
        ['x-envoy-original-path', `https://${to}/`],
        ['l5d-dst-override', to],
        ['x-egress-target', `https://${to}`],
        ['x-egress-mode', 'live'],
        ['x-sallyport-environment', 'prod'],
        ['x-egress-retry', 'prod'],
        ['location', `https://${to}/`],
        ['proxy-authorization', 'Basic eDp5'],
      ] as const
      const answer = await client(
        dev.port('egress:payments'),
        call('payments.internal', [['x-egress-env', 'test'], ...steering], '/v1/charges?x-egress-env=prod&env=prod'),
      )
      expect([answer.status, answer.text, answer.headers['x-egress-env']]).toEqual([200, '{"from":"sandbox"}', 'test'])
      expect(sandbox.connections()).toBeGreaterThanOrEqual(before)
      expect(liveConnections()).toBe(0)
    })

    it('by a caller whose own environment is prod', async () => {
      const answers = await Promise.all(
        [[], [['x-egress-env', 'prod']] as const].map((headers) => client(dev.port('egress:rogue'), call('rogue.internal', headers))),
      )
      for (const answer of answers) expect([answer.status, codeOf(answer)]).toEqual([403, 'env_denied'])
      expect(liveConnections()).toBe(0)
    })

    it.each(['301', '302', '307', '308'])('by a %s of the sandbox: it is passed on, not followed', async (status) => {
      const answer = await client(dev.port('egress:payments'), call('payments.internal', [['x-egress-env', 'test']], `/${status}`))
      expect([answer.status, answer.headers['location']]).toEqual([Number(status), `https://localhost:${secure.port}/v1/charges`])
      expect(answer.headers['alt-svc']).toBeUndefined()
      expect(liveConnections()).toBe(0)
    })
  })

  it('by any spelling of its address, nor by a name that resolves to it', async () => {
    expect(aliases.size).toBeGreaterThanOrEqual(34)
    for (const [spelling, service] of aliases) {
      const answer = await http1(dev.port('egress'), call(`${service}.internal`, [['x-egress-env', 'test']]))
      expect([spelling, codeOf(answer)]).toEqual([spelling, expect.toBeOneOf(['address_denied', 'config_quarantined'])])
    }
    expect(liveConnections()).toBe(0)
  })

  it('by asking for a token there, nor by a token endpoint that points there', async () => {
    for (const [service, code] of [
      ['token-by-name', 'config_quarantined'],
      ['token-by-address', 'credential_unavailable'],
      ['token-redirect', 'credential_unavailable'],
    ]) {
      const answer = await http1(dev.port('egress'), call(`${service}.internal`, [['x-egress-env', 'test']]))
      expect([service, codeOf(answer)]).toEqual([service, code])
    }
    expect(liveConnections()).toBe(0)
  })

  it('by absolute form, CONNECT, an upgrade, or a connection option that hides the header', async () => {
    const to = `localhost:${secure.port}`
    const port = dev.port('egress:payments')
    const raw = (lines: readonly string[]) => bytes(port, [...lines, '', ''].join('\r\n'))
    const refused = await Promise.all([
      raw([`GET http://localhost:${clear.port}/v1/charges HTTP/1.1`, `host: localhost:${clear.port}`, 'connection: close']),
      raw([`GET https://${to}/v1/charges HTTP/1.1`, 'host: payments.internal', 'connection: close']),
      raw([`CONNECT ${to} HTTP/1.1`, `host: ${to}`]),
      raw([`GET / HTTP/1.1`, 'host: payments.internal', 'connection: Upgrade', 'upgrade: websocket', 'x-egress-env: prod']),
      raw([`GET / HTTP/1.1`, 'host: payments.internal', 'connection: Upgrade, HTTP2-Settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__']),
      raw(['GET / HTTP/1.1', 'host: payments.internal', `host: ${to}`, 'connection: close']),
      raw(['GET / HTTP/1.1', 'host: payments.internal', 'connection: close, x-egress-env', 'x-egress-env: prod']),
      raw(['GET //localhost/v1/charges HTTP/1.1', 'host: payments.internal', 'connection: close']),
    ])
    expect(refused.map((answer) => [answer.status, codeOf(answer)])).toEqual([
      [400, 'request_invalid'],
      [400, 'request_invalid'],
      [501, 'not_implemented'],
      [501, 'not_implemented'],
      [501, 'not_implemented'],
      [400, 'host_invalid'],
      [400, 'request_invalid'],
      [400, 'path_ambiguous'],
    ])
    const absolute = await h2c(port, { path: `https://${to}/`, headers: [['host', to]] }).then(codeOf, (error: Error) => error.message)
    expect(absolute).toMatch(/^request_invalid$|NGHTTP2_PROTOCOL_ERROR/)
    expect(liveConnections()).toBe(0)
  })

  it('while the sandbox is reached, and every refusal is in the log under its code', async () => {
    const before = sandbox.connections()
    const answer = await http1(dev.port('egress'), call('payments.internal', [['x-egress-env', 'test']]))
    expect([answer.status, answer.text]).toEqual([200, '{"from":"sandbox"}'])
    expect(before).toBeGreaterThan(0)
    const entry = await dev.entry((line) => line['kind'] === 'request' && (line['refusal'] as { code?: string } | undefined)?.code === 'address_denied')
    expect(entry).toMatchObject({ wing: 'egress', status: 403, egress: { environment: 'test', caller: 'tester' } })
    expect(liveConnections()).toBe(0)
  })
})

it('the spellings do lead to production where no policy says what production is: the guard alone stands between', async () => {
  const callers = 'callers:\n  tester: { listener: egress, mayChooseEnv: [test] }\n'
  const open = await openGateway(keep, { 'house.yaml': house, 'egress.yaml': `sallyport: v1\n${callers}egress:\n${aliasServices}` })
  const reached: string[] = []
  for (const [spelling, service] of aliases) {
    const before = liveConnections()
    await http1(open.port('egress'), call(`${service}.internal`, [['x-egress-env', 'test']]))
    if (liveConnections() > before) reached.push(spelling)
  }
  expect(reached).toEqual(expect.arrayContaining(['its own name', 'IPv4', 'IPv6'].flatMap((name) => [`${name}, over TLS`, `${name}, in clear text`])))
})

it('the port counts at TCP level, and with SALLYPORT_ENV=prod production is reached, with its key', async () => {
  const before = [secure.connections(), clear.connections()] as const
  await new Promise<void>((done) => {
    const socket = connect(clear.port, '127.0.0.1', () => socket.end())
    socket.on('close', () => done())
    socket.resume()
  })
  const payments = await http1(prod.port('egress:payments'), call('payments.internal'))
  expect([payments.status, JSON.parse(payments.text)]).toEqual([201, expect.objectContaining({ from: 'live', livemode: true })])
  expect([secure.connections(), clear.connections()]).toEqual([before[0] + 1, before[1] + 1])

  // The ceiling holds the other way round too: from production no test system is called.
  const down = await http1(prod.port('egress'), call('payments.internal', [['x-egress-env', 'test']]))
  expect([down.status, codeOf(down)]).toEqual([403, 'env_denied'])
})
