import { array, asyncProperty, assert as check, constantFrom, option, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildStreams } from '../../src/core/egress/stream.ts'
import { switchedPolicy, switchObstacle } from '../../src/core/egress/switched.ts'
import { buildEgress } from '../../src/core/egress.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { EgressSwitch } from '../../src/core/policy/linked/switched.ts'
import { arrival } from '../support/arrival.ts'
import { fakeVendor } from '../support/egress.ts'
import { loadCase } from '../support/load.ts'
import { fakePorts, fakeResolve, fakeSecrets } from '../support/ports.ts'

/** Two nonprod environments, two prod ones, a caller of each kind, and services that try to be production by an alias. */
const files = {
  'a.yaml': `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod }, prod: { class: prod }, standby: { class: prod } }
listeners: { egress: { address: "127.0.0.1:9100" } }
callers:
  shop: { listener: "egress:payments" }
  qa: { listener: "egress:alias", mayChooseEnv: [dev, test, prod, standby] }
  teller: { listener: "egress:ledger" }
  clerk: { listener: "egress:broker", environment: prod }
  rogue: { listener: "egress:rogue", environment: prod, mayChooseEnv: [prod, standby] }
egress:
  payments: { listen: "127.0.0.1:9101", callers: [shop], environments: { test: { target: "https://sandbox.pay.example" },
    prod: { target: "https://api.pay.example", inject: { header: authorization, secret: "env:LIVE" } }, standby: { target: "https://eu.pay.example" } } }
  alias: { listen: "127.0.0.1:9102", callers: [qa], environments: { dev: { target: "https://alias.pay.example" }, test: { target: "https://sandbox.pay.example" },
    prod: { target: "https://api.pay.example" } } }
  rogue: { listen: "127.0.0.1:9103", callers: [rogue], environments: { test: { target: "https://sandbox.pay.example" }, prod: { target: "https://api.pay.example" } } }
  ledger: { kind: tcp, listen: "127.0.0.1:15432", callers: [teller], environments: { test: { target: "ledger-test.example:5432" },
    prod: { target: "ledger.example:5432", tls: verify-full }, standby: { target: "ledger-eu.example:5432", tls: verify-full } } }
  broker: { kind: tcp, listen: "127.0.0.1:15672", callers: [clerk], environments: { dev: { target: "alias-broker.example:5671" }, prod: { target: "broker.example:5671", tls: verify-full } } }
`.replaceAll(/,\n\s+/g, ', '),
}
const production = ['198.51.100.7', '198.51.100.8', '198.51.100.9', '198.51.100.10', '198.51.100.11'].map((one) => one.replace('198.51.100', '93.184.216'))
const [live = '', eu = '', ledger = '', ledgerEu = '', broker = ''] = production
const addresses = {
  'api.pay.example': [live],
  'eu.pay.example': [eu],
  'alias.pay.example': [live],
  'sandbox.pay.example': ['93.184.216.34'],
  'ledger.example': [ledger],
  'ledger-eu.example': [ledgerEu],
  'ledger-test.example': ['93.184.216.35'],
  'broker.example': [broker],
  'alias-broker.example': [broker],
}

/** What people and machines may write where an environment is meant. */
const environment = constantFrom(
  'dev',
  'test',
  'prod',
  'standby',
  'PROD',
  ' prod',
  'prod ',
  'prod\u200b',
  'ｐｒｏｄ',
  'production',
  '',
  '*',
  '__proto__',
  'constructor',
  'toString',
)
const service = constantFrom('payments', 'alias', 'rogue', 'ledger', 'broker', '__proto__')
const asSwitch = ([name, to]: readonly [string, string], at: number): EgressSwitch => ({
  id: `0000000${at}`,
  service: name,
  environment: to,
  by: 'forged',
  reason: 'no operator asked for it',
  at: 0,
  endsAt: undefined,
})

const sets = {
  dev: loadCase({ files, environment: 'dev' }),
  test: loadCase({ files, environment: 'test' }),
  prod: loadCase({ files, environment: 'prod' }),
}

/** Everything that was dialled, or would have been: by host, and for live calls every address that the guard let pass. */
async function reached(own: keyof typeof sets, switches: readonly EgressSwitch[], wanted: string | undefined, services: readonly string[]) {
  const { policy: asLoaded } = await sets[own]
  if (asLoaded === undefined) throw new Error('the policies are sound')
  const policy = switchedPolicy(asLoaded, switches)
  const ports = fakePorts({ resolve: fakeResolve(addresses), secrets: fakeSecrets({ 'env:LIVE': 'sk_live' }) })
  const vendor = fakeVendor()
  const [walk, streams] = [buildEgress(policy, vendor, ports), buildStreams(policy, ports)]
  const found: string[] = []
  const vetted = async (host: string, port: number, vet: ((address: string, port: number) => unknown) | undefined) => {
    for (const address of await ports.resolve(host)) if ((await vet?.(address, port)) === undefined) found.push(address)
  }
  for (const name of services) {
    if (name === 'ledger' || name === 'broker') {
      try {
        const { target, vet } = streams(name)
        await vetted(target.host, target.port, vet)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
      }
    } else
      await walk(
        arrival(
          'GET',
          '/',
          { Host: 'x', ...(wanted !== undefined && { 'x-egress-env': wanted }) },
          { listener: `egress:${name}`, scheme: 'http', peer: '127.0.0.1' },
        ),
      )
  }
  for (const { target, vet } of vendor.sent) if (target.mode === 'live') await vetted(target.host, target.port, vet)
  return { found, policy, obstacle: (name: string, to: string) => switchObstacle(policy, name, to) }
}

const all = ['payments', 'alias', 'rogue', 'ledger', 'broker']

describe('production, for a nonprod process', () => {
  it('is out of reach whatever the header says, whoever calls, and whatever is switched or stands in the store', async () => {
    let reachedSome = 0
    await check(
      asyncProperty(
        record({
          own: constantFrom('dev', 'test'),
          wanted: option(environment, { nil: undefined }),
          switches: array(record({ service, environment }), { maxLength: 5 }),
        }),
        async ({ own, wanted, switches }) => {
          const { found } = await reached(
            own,
            switches.map((one, at) => asSwitch([one.service, one.environment], at)),
            wanted,
            all,
          )
          reachedSome += found.length
          expect(found.filter((address) => production.includes(address))).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
    expect(reachedSome).toBeGreaterThan(0)
  })

  it('cannot be switched to, in any spelling, and its policies hold neither its targets nor its secrets', async () => {
    const { policy, obstacle } = await reached('dev', [], undefined, [])
    for (const to of ['prod', 'standby', 'PROD', 'prod ', 'ｐｒｏｄ', 'constructor', '__proto__', ''])
      expect([to, obstacle('payments', to)?.code]).toEqual([to, 'env_ceiling'])
    expect(obstacle('payments', 'test')).toBeUndefined()
    const targets = Object.values(policy.egress).flatMap((one) => Object.values(one.targets))
    expect(targets.map((one) => one.environment)).not.toContain('prod')
    expect(JSON.stringify(targets)).not.toMatch(/api\.pay|ledger\.example|env:LIVE/)
  })

  it("is no answer to a slip: what was meant is named, of the process's own class alone", async () => {
    const { obstacle } = await reached('dev', [], undefined, [])
    expect(obstacle('paymnts', 'test')?.message).toBe('there is no egress service "paymnts"; did you mean payments?')
    expect(obstacle('payments', 'tset')?.message).toMatch(/^tset is not a nonprod environment: .*; there are dev, test$/)
    expect(obstacle('payments', 'dev')?.message).toBe('payments has no target in dev; it has in test')
  })

  it('is reached from a prod process by the same calls, and a test system is not', async () => {
    const { found } = await reached('prod', [], undefined, all)
    expect(new Set(found)).toEqual(new Set([live, ledger, broker]))
    const moved = await reached('prod', [asSwitch(['ledger', 'standby'], 1), asSwitch(['payments', 'test'], 2)], undefined, ['ledger', 'payments'])
    expect(moved.found).toEqual([ledgerEu])
  })
})
