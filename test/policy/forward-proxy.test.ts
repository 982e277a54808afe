import { describe, expect, it } from 'vitest'
import { clean, loadCase } from '../support/load.ts'

/** The members of `web` in a policy with a forward proxy, and what stands beside it. */
function load(web: string, { beside = '', listener = 'proxy: true', environment = 'dev' } = {}) {
  return loadCase({
    environment,
    files: {
      'a.yaml': `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod }, prod: { class: prod } }
listeners: { egress: { address: 127.0.0.1:9100, ${listener} } }
callers: { shop: {} }
egress:
  web:
    kind: proxy
    callers: [shop]
${web.replaceAll(/^/gm, '    ')}
${beside.replaceAll(/^/gm, '  ')}
`,
    },
  })
}
const codes = async (...given: Parameters<typeof load>) => (await load(...given)).diagnostics.map(({ severity, code }) => `${severity} ${code}`)
const dev = (more: string) => `environments: { dev: { ${more} } }`

describe('a service of the forward proxy', () => {
  it('is linked with its hosts, ports and tunnels, and guards those of production', async () => {
    const web = `connect: true
clientHelloTimeout: 2s
timeout: { connect: 1s, total: 9s }
connections: { max: 7, idle: 2s, lifetime: 3h }
switch: { drainTimeout: 3s }
environments:
  dev: { hosts: [test.example, "*.raw.example", "10.1.2.3", "[2001:DB8::1]"], allowAddresses: [10.1.2.0/24, "2001:db8::1"], ports: [443, 80] }
  test: { mode: deny, reason: not yet }
  prod: { hosts: [live.example, "*.cdn.example"] }`.replace('2001:DB8', '2001:db8:0')
    const policy = clean(await load(web))
    expect(policy.listeners.egress).toEqual({ address: { host: '127.0.0.1', port: 9100 }, proxy: true })
    expect(policy.egress['web']).toMatchObject({
      service: {
        connectTimeoutMs: 1000,
        timeoutMs: 9000,
        proxy: { clientHelloMs: 2000, tunnels: { protocol: undefined, maxConnections: 7, idleMs: 2000, lifetimeMs: 10_800_000, drainMs: 3000 } },
      },
    })
    expect(policy.egress['web']?.targets).toEqual({
      dev: {
        mode: 'proxy',
        environment: 'dev',
        hosts: ['test.example', '*.raw.example', '10.1.2.3', '2001:db8::1'],
        ports: [443, 80],
        allowAddresses: ['10.1.2.0/24', '2001:db8::1'],
        sharesAddressWithProd: false,
      },
      test: { mode: 'deny', environment: 'test', reason: 'not yet' },
    })
    expect(policy.guards).toEqual([
      { host: 'live.example', port: 443, service: 'web', proxied: true },
      { host: '*.cdn.example', port: 443, service: 'web', proxied: true },
    ])
    const there = clean(await load(web, { environment: 'prod' }))
    expect([there.egress['web']?.targets, there.guards]).toEqual([{ prod: expect.objectContaining({ hosts: ['live.example', '*.cdn.example'] }) }, []])
  })

  it('has no tunnels, and 5 seconds for a ClientHello, unless it says so', async () => {
    const policy = clean(await load(dev('hosts: [a.example]')))
    expect(policy.egress['web']?.service.proxy).toEqual({ tunnels: undefined, clientHelloMs: 5000 })
    expect(policy.egress['web']?.targets).toMatchObject({ dev: { ports: [443] } })
  })

  it('may share its own hosts with production when that is said, and nobody else’s', async () => {
    const both = (more: string) => `environments: { dev: { hosts: [github.com]${more} }, prod: { hosts: [github.com] } }`
    const wide = (more: string) => `environments: { dev: { hosts: [raw.x.example]${more} }, prod: { hosts: ["*.x.example"] } }`
    const shared = ', sharesAddressWithProd: true'
    for (const of of [both, wide]) {
      expect(await codes(of(''))).toEqual(['error target_is_prod'])
      expect(await codes(of(shared))).toEqual([])
    }
    const pay = 'pay:\n  listen: 127.0.0.1:9101\n  callers: [shop]\n  environments: { prod: { target: https://github.com } }'
    expect(await codes(dev(`hosts: [github.com]${shared}`), { beside: pay })).toEqual(['error target_is_prod'])
    const http = 'pay:\n  listen: 127.0.0.1:9101\n  callers: [shop]\n  environments: { dev: { target: https://a.x.example } }'
    expect(await codes('environments: { prod: { hosts: ["*.x.example"] } }', { beside: http })).toEqual(['error target_is_prod'])
    // A wildcard may hold some of production: the guard denies those by name.
    expect(await codes('environments: { dev: { hosts: ["*.x.example"] }, prod: { hosts: [a.x.example] } }')).toEqual([])
  })

  it.each([
    ['hosts: ["*.com"]', 'error host_wide'],
    ['hosts: ["*.co.uk"]', 'error host_wide'],
    ['hosts: ["*.internal"]', 'error host_wide'],
    ['hosts: ["*.github.io"]', 'warning host_wide'],
    ['hosts: ["*.githubusercontent.com"]', 'warning host_wide'],
    ['hosts: ["10.0.0.1"]', 'error host_is_address'],
    ['hosts: ["[::1]"]', 'error host_is_address'],
    ['hosts: ["203.0.113.7"]', 'error host_is_address'],
    ['hosts: ["*"]', 'error value_invalid'],
    ['hosts: ["*.*.example.com"]', 'error value_invalid'],
    ['hosts: ["a.*.example"]', 'error value_invalid'],
    ['hosts: ["GitHub.com"]', 'error value_invalid'],
    ['hosts: ["github.com:443"]', 'error value_invalid'],
    ['hosts: ["github.com."]', 'error value_invalid'],
    ['hosts: ["gïthub.com"]', 'error value_invalid'],
    ['hosts: ["*.10.0.0.1"]', 'error value_invalid'],
    ['hosts: ["0x7f.1"]', 'error value_invalid'],
    ['hosts: ["https://github.com"]', 'error value_invalid'],
    ['hosts: [a.example], ports: [0]', 'error value_out_of_range'],
    ['hosts: [a.example], ports: [65536]', 'error value_out_of_range'],
    ['mode: live', 'error key_missing'],
    ['hosts: [a.example], mode: record', 'error kind_differs'],
    ['hosts: [a.example], target: "https://b.example"', 'error kind_differs'],
    ['hosts: [a.example], inject: { header: a, secret: env:X }', 'error kind_differs'],
    ['hosts: [a.example], tls: none', 'error kind_differs'],
    ['hosts: [a.example], faults: { reset: { percent: 1% } }', 'error kind_differs'],
    ['hosts: [a.example], allowAddresses: [0.0.0.0/0]', 'warning addresses_wide'],
    ['hosts: [a.example], guardHosts: [b.example]', 'warning no_effect'],
  ])('with %s has %s', async (target, code) => {
    expect(await codes(dev(target))).toContain(code)
  })

  it.each([
    ['listen: 127.0.0.1:9101', 'error kind_differs'],
    ['host: web.egress.internal', 'error kind_differs'],
    ['protocol: postgres', 'error kind_differs'],
    ['retry: { attempts: 1 }', 'error kind_differs'],
    ['breaker: {}', 'error kind_differs'],
    ['quota: { vendor: { rate: 1/1s } }', 'error kind_differs'],
    ['idempotency: {}', 'error kind_differs'],
    ['mask: { responses: true }', 'error kind_differs'],
    ['connections: { max: 2 }', 'warning no_effect'],
    ['switch: { mode: drain }', 'warning no_effect'],
    ['clientHelloTimeout: 2s', 'warning no_effect'],
    ['connect: true\nswitch: { mode: pin }', 'warning stream_pinned'],
    ['clientHelloTimeout: 2m', 'error value_invalid'],
    ['allow: []', 'error list_empty'],
  ])('that says %s has %s', async (more, code) => {
    expect(await codes(`${more}\n${dev('hosts: [a.example]')}`)).toContain(code)
  })

  it('needs a listener that is a forward proxy', async () => {
    expect(await codes(dev('hosts: [a.example]'), { listener: 'proxy: false' })).toContain('error way_missing')
  })

  it('is one for each caller and host, and leaves the hosts of other services to them', async () => {
    const other = (more: string, host = 'a.example') => `other:\n  kind: proxy\n  ${more}\n  environments: { test: { hosts: [${host}] } }`
    const web = dev('hosts: [a.example]')
    expect(await codes(web, { beside: other('callers: [shop]') })).toEqual(['error address_repeated'])
    expect(await codes(web, { beside: other('callers: []') })).toEqual(['warning nobody_calls'])
    expect(await codes(web, { beside: other('callers: [shop]', '"*.example.org"') })).toEqual([])
    const http = 'pay:\n  host: a.example\n  callers: [shop]\n  environments: { dev: { target: https://b.example } }'
    expect(await codes(web, { beside: http })).toEqual(['error address_repeated'])
  })

  it('warns of prod requests in the clear', async () => {
    expect(await codes('environments: { prod: { hosts: [a.example], ports: [80] } }')).toEqual(['warning target_clear_text'])
    expect(await codes(dev('hosts: [a.example], ports: [80]'))).toEqual([])
  })

  it('keeps its hosts when it is quarantined, so that no wider service takes them over', async () => {
    const { policy } = await load(`retry: { attempts: 1 }\n${dev('hosts: [a.example]')}`)
    expect(policy?.egress['web']).toMatchObject({ service: { quarantined: expect.any(String) }, targets: { dev: { hosts: ['a.example'] } } })
  })
})

describe('other services', () => {
  it.each([
    ['environments: { dev: { target: https://b.example, hosts: [a.example] } }', 'error kind_differs'],
    ['environments: { dev: { target: https://b.example, ports: [443] } }', 'error kind_differs'],
    ['connect: true\n  environments: { dev: { target: https://b.example } }', 'error kind_differs'],
    ['kind: tcp\n  environments: { dev: { target: "b.example:5432", hosts: [a.example] } }', 'error kind_differs'],
    ['kind: tcp\n  connect: true\n  environments: { dev: { target: "b.example:5432" } }', 'error kind_differs'],
    ['kind: tcp\n  clientHelloTimeout: 1s\n  environments: { dev: { target: "b.example:5432" } }', 'error kind_differs'],
  ])('have no %s', async (pay, code) => {
    expect(await codes(dev('hosts: [a.example]'), { beside: `pay:\n  listen: 127.0.0.1:9101\n  callers: [shop]\n  ${pay}` })).toEqual([code])
  })
})
