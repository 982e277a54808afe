import { describe, expect, it } from 'vitest'
import { buildGuard } from '../../src/core/egress/guard.ts'
import type { LiveTarget } from '../../src/core/model/egress-target.ts'
import type { GuardHost } from '../../src/core/policy/linked/egress.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { bearer, egressPolicy, linked, live, oauth2, service } from '../support/egress.ts'
import { fakePorts, fakeResolve } from '../support/ports.ts'

const prodHost: GuardHost = { host: 'api.pay.example', port: 443, service: 'payments' }
const prodAddress = '93.184.216.34'
const sandbox = live('test', 'https://sandbox.pay.example')

function guarded(target: LiveTarget, given: { guards?: readonly GuardHost[]; hosts?: Record<string, readonly string[]>; policy?: Partial<Policy> } = {}) {
  const ports = fakePorts({ resolve: fakeResolve(given.hosts ?? { 'api.pay.example': [prodAddress] }) })
  const policy = { ...egressPolicy({ guards: given.guards ?? [prodHost], services: [linked(service('payments'), target)] }), ...given.policy }
  const guard = buildGuard(policy, ports)
  return { ports, guard, names: () => guard.checkNames(target), vet: async (address: string, port = 443) => guard.vetFor(target)(address, port) }
}

describe('the production guard by name', () => {
  it.each([
    ['as it is', 'https://api.pay.example'],
    ['in another case', 'https://API.Pay.Example'],
    ['on another port', 'https://api.pay.example:8443'],
    ['over http', 'http://api.pay.example'],
  ])('denies a target that names a production host %s', (_, url) => {
    expect(guarded(live('test', url)).names()).toMatch(/is production \(payments\)/)
  })

  it('denies the dot of an absolute name and a host given with brackets', () => {
    expect(guarded({ ...sandbox, host: 'api.pay.example.' }).names()).toMatch(/production/)
    const literal = guarded({ ...sandbox, host: '2606:4700::1' }, { guards: [{ host: '[2606:4700:0:0::1]', port: 443, service: 'payments' }] })
    expect(literal.names()).toMatch(/production/)
  })

  it('lets a name pass that only looks alike', () => {
    for (const url of ['https://sandbox.pay.example', 'https://api.pay.example.test', 'https://xapi.pay.example', 'https://pay.example']) {
      expect(guarded(live('test', url)).names()).toBeUndefined()
    }
  })

  it('denies a token endpoint on a production host', () => {
    const credential = oauth2('https://API.pay.example/token', 'env:A')
    expect(guarded({ ...sandbox, credential }).names()).toMatch(/token endpoint api\.pay\.example is production/)
    expect(guarded({ ...sandbox, credential: { ...credential, tokenUrl: 'https://auth.pay.example/token' } }).names()).toBeUndefined()
  })

  it('opens one host for test and live only where the address is shared knowingly and the key is told apart', () => {
    const same = live('test', 'https://api.pay.example', { sharesAddressWithProd: true })
    expect(guarded(same).names()).toMatch(/production/)
    expect(guarded({ ...same, credential: bearer('env:K') }).names()).toMatch(/production/)
    expect(guarded({ ...same, credential: bearer('env:K', { forbidPattern: '^sk_live_' }) }).names()).toBeUndefined()
    expect(guarded({ ...same, credential: bearer('env:K', { pattern: '^sk_test_' }) }).names()).toBeUndefined()
    expect(guarded({ ...same, sharesAddressWithProd: false, credential: bearer('env:K', { pattern: '^sk_test_' }) }).names()).toMatch(/production/)
  })
})

describe('the production guard by address', () => {
  it.each([
    ['an alias of the production host', prodAddress, 443],
    ['a mapped spelling of its address', `::ffff:${prodAddress}`, 443],
    ['a NAT64 spelling of its address', `64:ff9b::${prodAddress}`, 443],
  ])('denies %s', async (_, address, port) => {
    expect(await guarded({ ...sandbox, allowAddresses: ['64:ff9b::/96'] }).vet(address, port)).toBeDefined()
  })

  it('names the production host in its refusal of an address', async () => {
    expect(await guarded(sandbox).vet(prodAddress)).toBe(`${prodAddress}:443 is production (api.pay.example)`)
    expect(await guarded({ ...sandbox, allowAddresses: ['64:ff9b::/96'] }).vet(`64:ff9b::${prodAddress}`)).toMatch(/is production/)
  })

  it('lets another address, and another port of the same address, pass', async () => {
    expect(await guarded(sandbox).vet('93.184.216.35')).toBeUndefined()
    expect(await guarded(sandbox).vet(prodAddress, 8443)).toBeUndefined()
  })

  it('denies every address of a production host with several', async () => {
    const hosts = { 'api.pay.example': ['93.184.216.34', '93.184.216.99', '2606:4700::99'] }
    for (const address of hosts['api.pay.example']) expect(await guarded(sandbox, { hosts }).vet(address)).toMatch(/production/)
  })

  it('denies an IP literal that a guard host is, without asking a resolver', async () => {
    const { vet, ports } = guarded(sandbox, { guards: [{ host: '93.184.216.34', port: 443, service: 'payments' }], hosts: {} })
    expect(await vet('93.184.216.34')).toMatch(/production/)
    expect(ports.resolve.asked).toEqual([])
  })

  it('denies a loopback vendor that production owns even where loopback is listed', async () => {
    const { vet } = guarded(live('test', 'http://127.0.0.1:9202', { allowAddresses: ['127.0.0.0/8'] }), {
      guards: [{ host: 'localhost', port: 9202, service: 'payments' }],
      hosts: { localhost: ['127.0.0.1', '::1'] },
    })
    expect(await vet('127.0.0.1', 9202)).toMatch(/production \(localhost\)/)
    expect(await vet('127.0.0.1', 9201)).toBeUndefined()
  })

  it('lets a target pass that is known to share the address', async () => {
    expect(await guarded({ ...sandbox, sharesAddressWithProd: true }).vet(prodAddress)).toBeUndefined()
  })

  it('judges every socket anew: an address that turns bad after the first is refused', async () => {
    const { vet } = guarded(sandbox)
    expect(await vet('93.184.216.35')).toBeUndefined()
    expect(await vet('127.0.0.1')).toMatch(/loopback/)
    expect(await vet(prodAddress)).toMatch(/production/)
  })

  it('learns where production is at dial time, at most 30 s old', async () => {
    const { vet, ports } = guarded(sandbox)
    expect(await vet('93.184.216.50')).toBeUndefined()
    ports.resolve.on('api.pay.example', ['93.184.216.50'])
    ports.clock.advance(29_999)
    expect(await vet('93.184.216.50')).toBeUndefined()
    ports.clock.advance(1)
    expect(await vet('93.184.216.50')).toMatch(/production/)
  })

  it('asks once for many dials', async () => {
    const { vet, ports } = guarded(sandbox)
    await Promise.all(Array.from({ length: 50 }, () => vet('93.184.216.50')))
    expect(ports.resolve.asked).toEqual(['api.pay.example'])
  })

  it('keeps denying an address that production no longer shows, for ten minutes', async () => {
    const { vet, ports } = guarded(sandbox)
    expect(await vet(prodAddress)).toMatch(/production/)
    ports.resolve.on('api.pay.example', ['93.184.216.77'])
    ports.clock.advance(300_000)
    expect(await vet(prodAddress)).toMatch(/production/)
    expect(await vet('93.184.216.77')).toMatch(/production/)
    ports.clock.advance(600_001)
    expect(await vet(prodAddress)).toBeUndefined()
  })

  it('keeps what it knew when the production host no longer resolves', async () => {
    const addresses = new Map([['api.pay.example', [prodAddress]]])
    const ports = fakePorts({
      resolve: async (host: string) => {
        const found = addresses.get(host)
        if (found === undefined) throw new Error('no such name')
        return found
      },
    })
    const vet = buildGuard(egressPolicy({ guards: [prodHost] }), ports).vetFor(sandbox)
    expect(await vet(prodAddress, 443)).toMatch(/production/)
    addresses.clear()
    ports.clock.advance(60_000)
    expect(await vet(prodAddress, 443)).toMatch(/production/)
  })

  it('holds by name where the production host cannot be resolved, and lets public addresses pass', async () => {
    const unresolvable = guarded(sandbox, { hosts: {} })
    expect(await unresolvable.vet('93.184.216.50')).toBeUndefined()
    expect(guarded(live('test', 'https://api.pay.example'), { hosts: {} }).names()).toMatch(/production/)
  })

  it('does not wait for a resolver that hangs', async () => {
    const ports = fakePorts({ resolve: () => new Promise<readonly string[]>(() => {}) })
    const verdict = buildGuard(egressPolicy({ guards: [prodHost] }), ports).vetFor(sandbox)('8.8.8.8', 443)
    ports.clock.advance(2_000)
    expect(await verdict).toBeUndefined()
  })

  it('asks nobody in prod, where there is nothing to guard against', async () => {
    const ports = fakePorts({ resolve: fakeResolve({}) })
    const guard = buildGuard(egressPolicy({ environmentClass: 'prod' }), ports)
    expect(guard.vetFor(live('prod', 'https://api.pay.example'))(prodAddress, 443)).toBeUndefined()
    expect(guard.checkNames(live('prod', 'https://api.pay.example'))).toBeUndefined()
    expect(ports.resolve.asked).toEqual([])
  })
})

describe('our own listeners', () => {
  const anywhere = live('test', 'http://127.0.0.1:9201', { allowAddresses: ['127.0.0.0/8', '10.0.0.0/8', '::1/128'] })
  const own = (host: string, ownAddresses: readonly string[] = []) => {
    const policy = egressPolicy({
      services: [linked(service('crm', { listen: '127.0.0.1:9101' }), anywhere)],
      listeners: {
        public: {
          address: { host, port: 8443 },
          protocols: [],
          tls: undefined,
          trustedProxies: [],
          limits: { headerBytes: 1, headerCount: 1, bodyBytes: 1, requestMs: 1, idleMs: 1 },
        },
      },
    })
    return buildGuard(policy, fakePorts({ ownAddresses: () => ownAddresses })).vetFor(anywhere)
  }

  it('are never dialled: egress, admin, public, and every service of its own port', () => {
    const vet = own('10.1.1.1')
    expect(vet('127.0.0.1', 9100)).toMatch(/own listener/)
    expect(vet('127.0.0.1', 9901)).toMatch(/own listener/)
    expect(vet('127.0.0.1', 9101)).toMatch(/own listener/)
    expect(vet('10.1.1.1', 8443)).toMatch(/own listener/)
    expect(vet('::ffff:127.0.0.1', 9901)).toMatch(/own listener/)
  })

  it('stand on every interface when they are bound to the wildcard', () => {
    for (const wildcard of ['0.0.0.0', '::', 'localhost']) {
      const vet = own(wildcard, ['10.1.1.1', '8.8.4.4'])
      expect(vet('127.0.0.1', 8443)).toMatch(/own listener/)
      expect(vet('::1', 8443)).toMatch(/own listener/)
      expect(vet('10.1.1.1', 8443)).toMatch(/own listener/)
      expect(vet('8.8.4.4', 8443)).toMatch(/own listener/)
      expect(vet('10.1.1.2', 8443)).toBeUndefined()
    }
  })

  it('leave the neighbour on another port or address alone', () => {
    const vet = own('10.1.1.1')
    expect(vet('127.0.0.1', 9201)).toBeUndefined()
    expect(vet('10.1.1.2', 8443)).toBeUndefined()
  })
})
