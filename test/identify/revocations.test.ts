import { describe, expect, it } from 'vitest'
import { addRevocations, buildIdentify, listRevocations, revocationLimit, revocationsOf } from '../../src/core/ingress/identify.ts'
import type { Revocation } from '../../src/core/model/revocation.ts'
import type { RevocationRules } from '../../src/core/policy/linked/issuers.ts'
import type { Shared } from '../../src/core/ports.ts'
import { createMemoryShared } from '../../src/node/shared.ts'
import { access, accessPolicy, matched } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'
import { issuerDouble } from '../support/issuer.ts'
import { fakeFetch, fakePorts } from '../support/ports.ts'
import { refusalOf } from '../support/refusal.ts'

const rules: RevocationRules = { refreshMs: 1000, staleForMs: 300_000, onStoreFailure: 'refuse' }

async function house(changes: Partial<RevocationRules> = {}) {
  const clock = fakeClock()
  const idp = await issuerDouble(() => clock.now())
  const kept = createMemoryShared(clock)
  const state = { down: false, asked: [] as string[] }
  const shared: Shared = {
    ...kept,
    async get(key) {
      state.asked.push(key)
      if (state.down) throw new Error('the store is not connected')
      return kept.get(key)
    },
  }
  const fetch = fakeFetch({ [idp.jwksUrl]: () => ({ text: idp.jwks() }), [idp.metadataUrl]: () => ({ text: idp.metadata() }) })
  const ports = fakePorts({ clock, shared, fetch })
  const revocation = { ...rules, ...changes }
  const identify = buildIdentify(accessPolicy([access('orders', [])], [idp.config({ revocation })]), ports)
  const ask = async (token: string) => (await identify(matched(['orders'], { headers: [['authorization', `Bearer ${token}`]] }))).principal
  const seconds = () => Math.floor(clock.now() / 1000)
  const revoke = (...list: readonly Partial<Revocation>[]) =>
    addRevocations(
      'main',
      list.map(({ kind = 'jti', value = 'a', before = 0, until = seconds() + 600 }) => ({ kind, value, before, until })),
      ports,
    )
  return { clock, idp, ports, state, ask, seconds, revoke, revocation, fault: (token: string) => refusalOf(() => ask(token)) }
}

describe('a token that was taken back', () => {
  it('by its id is refused within a refresh, though it was verified and remembered', async () => {
    const { ask, idp, revoke, clock, fault } = await house()
    const [token, other] = [await idp.token({ jti: 'a' }), await idp.token({ jti: 'b' })]
    await ask(token)
    await revoke({ kind: 'jti', value: 'a' })
    clock.advance(1000)
    const found = await fault(token)
    expect(found).toMatchObject({ code: 'token_invalid', message: 'the access token is not valid', detail: { internal: 'revoked by its id' } })
    expect(await ask(other)).toMatchObject({ subject: 'u1' })
  })

  it('with all of its subject is refused when it was issued by then, or does not say when', async () => {
    const { ask, idp, revoke, clock, seconds, fault } = await house()
    const [old, dateless, foreign] = [await idp.token(), await idp.token({ iat: undefined }), await idp.token({ sub: 'u2' })]
    await revoke({ kind: 'subject', value: 'u1', before: seconds() })
    clock.advance(1000)
    const fresh = await idp.token()
    expect((await fault(old))?.detail.internal).toBe('revoked with all tokens of its subject')
    expect(await fault(dateless)).toMatchObject({ code: 'token_invalid' })
    expect(await ask(foreign)).toMatchObject({ subject: 'u2' })
    expect(await ask(fresh)).toMatchObject({ subject: 'u1' })
  })

  it('with all of its client is refused', async () => {
    const { ask, idp, revoke, seconds, fault } = await house()
    await revoke({ kind: 'client', value: 'app', before: seconds() })
    expect((await fault(await idp.token({ client_id: 'app' })))?.detail.internal).toBe('revoked with all tokens of its client')
    expect(await ask(await idp.token({ client_id: 'other' }))).toMatchObject({ clientId: 'other' })
    expect(await ask(await idp.token({ sub: 'app' }))).toMatchObject({ subject: 'app' })
  })
})

describe('the revocation list', () => {
  it('is fetched once in a refresh, and only when it changed', async () => {
    const { ask, idp, revoke, clock, state } = await house()
    const token = await idp.token()
    await revoke({ value: 'x' })
    state.asked.length = 0
    await Promise.all([ask(token), ask(token)])
    await ask(token)
    expect(state.asked).toHaveLength(2)
    clock.advance(1000)
    await ask(token)
    expect(state.asked.slice(2)).toEqual(['identify.revocationGeneration:main'])
  })

  it('forgets what is over, and keeps the farthest of what is said twice', async () => {
    const { revoke, clock, seconds, ports } = await house()
    const start = seconds()
    await revoke({ value: 'short', until: start + 10 }, { kind: 'subject', value: 'u1', before: start, until: start + 50 })
    clock.advance(10_000)
    await revoke({ kind: 'subject', value: 'u1', before: start - 5, until: start + 100 })
    expect(await listRevocations('main', ports)).toEqual([{ kind: 'subject', value: 'u1', before: start, until: start + 100 }])
    clock.advance(90_000)
    expect(await listRevocations('main', ports)).toEqual([])
  })

  it('goes on for its time while the store is down, and then nobody can tell', async () => {
    const { ask, idp, revoke, clock, state, fault } = await house()
    const [bad, good] = [await idp.token({ jti: 'a', exp: 1_767_230_000 }), await idp.token({ exp: 1_767_230_000 })]
    await revoke({ value: 'a', until: 1_767_230_000 })
    await ask(good)
    state.down = true
    clock.advance(299_999)
    expect(await ask(good)).toMatchObject({ subject: 'u1' })
    expect(await fault(bad)).toMatchObject({ code: 'token_invalid' })
    clock.advance(1)
    expect(await fault(good)).toMatchObject({ code: 'revocations_unavailable', status: 503, detail: { headers: [['retry-after', '1']] } })
    state.down = false
    clock.advance(1000)
    expect(await ask(good)).toMatchObject({ subject: 'u1' })
  })

  it('that was never there is 503, or lets pass where the policy says so', async () => {
    const strict = await house()
    strict.state.down = true
    expect(await strict.fault(await strict.idp.token())).toMatchObject({ code: 'revocations_unavailable' })
    const lax = await house({ onStoreFailure: 'pass' })
    lax.state.down = true
    expect(await lax.ask(await lax.idp.token())).toMatchObject({ subject: 'u1' })
    expect(await lax.ask(await lax.idp.token())).toMatchObject({ subject: 'u1' })
  })

  it('that cannot be read is as good as none', async () => {
    const { ports, fault, idp } = await house()
    await ports.shared.set('identify.revocations:main', '[{"kind":"all"}]', undefined)
    await ports.shared.set('identify.revocationGeneration:main', 'g', undefined)
    expect(await fault(await idp.token())).toMatchObject({ code: 'revocations_unavailable' })
  })

  it('is written by one at a time, and not beyond its limit', async () => {
    const { ports, revoke, seconds } = await house()
    const results = await Promise.allSettled([revoke({ value: 'a' }), revoke({ value: 'b' })])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const many = Array.from({ length: revocationLimit }, (_, i): Revocation => ({ kind: 'jti', value: `t${i}`, before: 0, until: seconds() + 600 }))
    await expect(addRevocations('main', many, ports)).rejects.toThrow('take back a subject or a client as a whole')
    await revoke({ value: 'c' })
    expect((await listRevocations('main', ports)).length).toBe(2)
  })

  it('has another generation after each revocation, for what remembers answers of the issuer', async () => {
    const { ports, revoke, clock, revocation } = await house()
    const list = revocationsOf('main', revocation, ports)
    const before = (await list.now()).generation
    await revoke({ value: 'a' })
    clock.advance(1000)
    const after = (await list.now()).generation
    await revoke({ value: 'a' })
    clock.advance(1000)
    expect(new Set([before, after, (await list.now()).generation]).size).toBe(3)
  })
})
