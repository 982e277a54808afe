import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sameHash } from '../../src/core/ingress/identify/api-keys.ts'
import { buildIdentify, sharedKeyOf } from '../../src/core/ingress/identify.ts'
import type { ApiKeyRecord } from '../../src/core/model/api-key-record.ts'
import type { Requirement } from '../../src/core/policy/linked/access.ts'
import type { ApiKeySet } from '../../src/core/policy/linked/api-keys.ts'
import type { Shared } from '../../src/core/ports.ts'
import { createMemoryShared } from '../../src/node/shared.ts'
import { access, accessPolicy, matched } from '../support/access.ts'
import { apiKey, apiKeyFile, apiKeySet } from '../support/api-keys.ts'
import { fakeClock } from '../support/clock.ts'
import { issuerDouble } from '../support/issuer.ts'
import { fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'
import { refusalOf } from '../support/refusal.ts'

const partners: Requirement = { kind: 'apiKey', name: 'partners' }

/** Shared facts that can stop answering, and that count what they are asked. */
function watchedShared(clock: Parameters<typeof createMemoryShared>[0]) {
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
  return { shared, state }
}

async function house(options: { readonly tree?: Requirement; readonly sets?: readonly ApiKeySet[] } = {}) {
  const clock = fakeClock()
  const idp = await issuerDouble(() => clock.now())
  const { shared, state } = watchedShared(clock)
  const secrets = fakeSecrets()
  const fetch = fakeFetch({ [idp.jwksUrl]: () => ({ text: idp.jwks() }), [idp.metadataUrl]: () => ({ text: idp.metadata() }) })
  const ports = fakePorts({ clock, shared, secrets, fetch })
  const sets = options.sets ?? [apiKeySet('partners')]
  const policy = {
    ...accessPolicy([access('orders', [], options.tree ?? partners)], [idp.config()]),
    apiKeys: Object.fromEntries(sets.map((set) => [set.name, set])),
  }
  const build = () => buildIdentify(policy, ports)
  const identify = build()
  const keep = (record: ApiKeyRecord, set = 'partners') => shared.set(sharedKeyOf(set, record.id), JSON.stringify(record), undefined)
  const askWith = async (keys: readonly (readonly [string, string])[], headers: readonly (readonly [string, string])[] = [], room = identify) =>
    (await room(matched(['orders'], { keys, headers }))).principal
  const ask = (text: string) => askWith([['x-api-key', text]])
  const fault = (text: string) => refusalOf(() => ask(text))
  return { clock, idp, ports, secrets, state, keep, ask, askWith, fault, build }
}

describe('an API key', () => {
  it('is the principal that its record says', async () => {
    const { keep, ask } = await house()
    const { text, record } = apiKey(1, { clientId: 'erp', scopes: ['orders:read', 'orders:write'], claims: { tenant: 'red', sub: 'somebody-else' } })
    await keep(record)
    const principal = await ask(text)
    expect(principal).toMatchObject({ kind: 'subject', by: 'apiKey', issuer: 'partners', subject: 'acme', clientId: 'erp', keyId: record.id })
    expect(principal.kind === 'subject' && [...principal.scopes]).toEqual(['orders:read', 'orders:write'])
    expect(principal.kind === 'subject' && principal.claims).toEqual({ tenant: 'red', sub: 'acme', client_id: 'erp', scope: 'orders:read orders:write' })
  })

  it('never has a scope that its set does not', async () => {
    const { keep, ask } = await house({ sets: [apiKeySet('partners', { scopes: ['orders:read'] })] })
    const { text, record } = apiKey(1, { scopes: ['orders:read', 'orders:write'] })
    await keep(record)
    const principal = await ask(text)
    expect(principal.kind === 'subject' && [...principal.scopes]).toEqual(['orders:read'])
    expect(principal).toMatchObject({ claims: { scope: 'orders:read' } })
  })

  it('that is missing is asked for by its scheme', async () => {
    const { askWith } = await house()
    const fault = await refusalOf(() => askWith([]))
    expect(fault).toMatchObject({ code: 'unauthenticated', message: 'an API key is required' })
    expect(fault?.detail.headers).toEqual([['www-authenticate', 'ApiKey realm="sallyport"']])
  })

  it('of one set does not do where another is asked for too, and is told so in its own scheme', async () => {
    const { keep, fault } = await house({
      tree: { kind: 'allOf', of: [partners, { kind: 'apiKey', name: 'others' }] },
      sets: [apiKeySet('partners'), apiKeySet('others')],
    })
    const { text, record } = apiKey(1)
    await keep(record)
    const refused = await fault(text)
    expect(refused).toMatchObject({ code: 'api_key_invalid', detail: { internal: 'a set of API keys that is not accepted here' } })
    expect(refused?.detail.headers).toEqual([['www-authenticate', 'ApiKey realm="sallyport"']])
  })

  it.each<[string, Partial<ApiKeyRecord>, string]>([
    ['expired', { expires: Date.UTC(2026, 0, 1) / 1000 }, 'expired'],
    ['not valid yet', { notBefore: Date.UTC(2026, 0, 1) / 1000 + 1 }, 'not valid yet'],
    ['revoked', { revoked: 1 }, 'revoked'],
    ['of another secret', { hash: 'f'.repeat(64) }, 'not the secret'],
  ])('that is %s gets the one answer of all bad keys', async (_, changes, reason) => {
    const { keep, fault } = await house()
    const { text, record } = apiKey(1, changes)
    await keep(record)
    const found = await fault(text)
    expect(found).toMatchObject({ code: 'api_key_invalid', status: 401, message: 'the API key is not valid' })
    expect(found?.detail.headers).toEqual([['www-authenticate', 'ApiKey realm="sallyport"']])
    expect(found?.detail.internal).toContain(reason)
    expect(found?.detail.internal).not.toContain(text)
  })

  it.each([
    ['nobody has', apiKey(7).text, 'no key has this id'],
    ['was copied badly', `${apiKey(7).text.slice(0, -1)}${apiKey(7).text.endsWith('a') ? 'b' : 'a'}`, 'mistyped'],
    ['is something else', 'Bearer abc', 'no text of an API key'],
    ['is empty', '', 'no text of an API key'],
    ['is as long as a header can be', 'a'.repeat(16_000), 'no text of an API key'],
  ])('that %s gets it, too', async (_, text, reason) => {
    const found = await (await house()).fault(text)
    expect(found).toMatchObject({ code: 'api_key_invalid', message: 'the API key is not valid' })
    expect(found?.detail.internal).toContain(reason)
  })

  it('that is not well formed costs the store nothing', async () => {
    const { fault, state } = await house()
    await fault('spk_x')
    await fault(apiKey(1).text.toUpperCase())
    expect(state.asked).toEqual([])
  })

  it.each([
    [
      [
        ['x-api-key', apiKey(1).text],
        ['x-api-key', apiKey(1).text],
      ],
    ],
    [[['x-api-key', `${apiKey(1).text}, ${apiKey(2).text}`]]],
  ] as const)('that comes with another is 400', async (keys) => {
    const { askWith, keep } = await house()
    await keep(apiKey(1).record)
    expect(await refusalOf(() => askWith(keys))).toMatchObject({ code: 'credential_invalid', status: 400 })
  })

  it('in another set of its header is found there, and in one header alone', async () => {
    const sets = [apiKeySet('partners'), apiKeySet('tools'), apiKeySet('legacy', { header: 'api-key' })]
    const tree: Requirement = { kind: 'anyOf', of: sets.map(({ name }) => ({ kind: 'apiKey', name })) }
    const { keep, askWith } = await house({ tree, sets })
    await keep(apiKey(1).record, 'tools')
    await keep(apiKey(2).record, 'legacy')
    expect(await askWith([['x-api-key', apiKey(1).text]])).toMatchObject({ issuer: 'tools' })
    expect(await askWith([['api-key', apiKey(2).text]])).toMatchObject({ issuer: 'legacy' })
    expect(await refusalOf(() => askWith([['x-api-key', apiKey(2).text]]))).toMatchObject({ code: 'api_key_invalid' })
    const both = [
      ['x-api-key', apiKey(1).text],
      ['api-key', apiKey(2).text],
    ] as const
    expect(await refusalOf(() => askWith(both))).toMatchObject({ code: 'credential_invalid' })
  })

  it('that is bad is not outweighed by a good token, nor taken for nothing', async () => {
    const tree: Requirement = { kind: 'anyOf', of: [{ kind: 'jwt', name: 'main' }, partners] }
    const { askWith, idp, keep } = await house({ tree })
    await keep(apiKey(1).record)
    const bearer = [['authorization', `Bearer ${await idp.token()}`]] as const
    expect(await askWith([], bearer)).toMatchObject({ by: 'jwt' })
    expect(await askWith([['x-api-key', apiKey(1).text]])).toMatchObject({ by: 'apiKey' })
    expect(await refusalOf(() => askWith([['x-api-key', apiKey(2).text]], bearer))).toMatchObject({ code: 'api_key_invalid' })
    const optional = await house({ tree: { kind: 'optional', of: partners } })
    expect(await optional.askWith([])).toEqual({ kind: 'anonymous' })
    expect(await refusalOf(() => optional.ask(apiKey(2).text))).toMatchObject({ code: 'api_key_invalid' })
    const fault = await refusalOf(() => askWith([]))
    expect(fault?.message).toBe('a credential is required')
    expect(fault?.detail.headers?.map(([, value]) => value)).toEqual(['Bearer realm="sallyport"', 'ApiKey realm="sallyport"'])
  })

  it('can be asked for beside a token', async () => {
    const { askWith, idp, keep } = await house({ tree: { kind: 'allOf', of: [{ kind: 'jwt', name: 'main' }, partners] } })
    await keep(apiKey(1).record)
    const bearer = [['authorization', `Bearer ${await idp.token()}`]] as const
    expect(await askWith([['x-api-key', apiKey(1).text]], bearer)).toMatchObject({ by: 'jwt', subject: 'u1', also: [{ by: 'apiKey', subject: 'acme' }] })
    expect(await refusalOf(() => askWith([], bearer))).toMatchObject({ code: 'unauthenticated' })
  })
})

describe('keys in the shared store', () => {
  it('are asked for once in a refresh, however many ask', async () => {
    const { keep, ask, state, clock } = await house()
    const { text, record } = apiKey(1)
    await keep(record)
    await Promise.all([ask(text), ask(text), ask(text)])
    clock.advance(4999)
    await ask(text)
    expect(state.asked).toHaveLength(1)
    clock.advance(1)
    await ask(text)
    expect(state.asked).toHaveLength(2)
  })

  it('are gone within a refresh of their revocation or removal', async () => {
    const { keep, ask, fault, clock, ports } = await house()
    const { text, record } = apiKey(1)
    await keep(record)
    await ask(text)
    await keep({ ...record, revoked: 1 })
    clock.advance(5000)
    expect((await fault(text))?.detail.internal).toContain('revoked')
    await keep(record)
    clock.advance(5000)
    await ask(text)
    await ports.shared.delete(sharedKeyOf('partners', record.id))
    clock.advance(5000)
    expect((await fault(text))?.detail.internal).toBe('no key has this id')
  })

  it('are seen within a refresh when they are new, and not asked for before', async () => {
    const { keep, ask, fault, clock, state } = await house()
    const { text, record } = apiKey(1)
    await fault(text)
    await keep(record)
    await fault(text)
    expect(state.asked).toHaveLength(1)
    clock.advance(5000)
    expect(await ask(text)).toMatchObject({ subject: 'acme' })
  })

  it('end at their own time, remembered or not', async () => {
    const { keep, ask, fault, clock } = await house()
    const { text, record } = apiKey(1, { expires: Date.UTC(2026, 0, 1) / 1000 + 2 })
    await keep(record)
    await ask(text)
    clock.advance(1999)
    await ask(text)
    clock.advance(1)
    expect((await fault(text))?.detail.internal).toContain('expired')
  })

  it('go on for their time while the store is down, and are 503 then, and before they were ever seen', async () => {
    const { keep, ask, fault, clock, state, ports } = await house()
    const { text, record } = apiKey(1)
    await keep(record)
    await keep(apiKey(2).record)
    await ask(text)
    state.down = true
    clock.advance(299_999)
    expect(await ask(text)).toMatchObject({ subject: 'acme' })
    expect(await fault(apiKey(2).text)).toMatchObject({ code: 'key_store_unavailable', status: 503, detail: { headers: [['retry-after', '1']] } })
    clock.advance(1)
    expect(await fault(text)).toMatchObject({ code: 'key_store_unavailable' })
    state.down = false
    clock.advance(1000)
    expect(await ask(text)).toMatchObject({ subject: 'acme' })
    expect(ports.journal.records.map((record) => record['event'])).toEqual(['api_keys_lost', 'api_keys_back'])
    expect(ports.meter.total('sallyport_api_key_reads_total', { set: 'partners', outcome: 'failed' })).toBeGreaterThan(0)
  })

  it('with a wrong secret are refused from memory while the store is down', async () => {
    const { keep, ask, fault, clock, state } = await house()
    const { text, record } = apiKey(1)
    await keep(record)
    await ask(text)
    state.down = true
    clock.advance(60_000)
    await keep({ ...record, revoked: 1 })
    expect(await ask(text)).toMatchObject({ subject: 'acme' })
    const other = apiKey(9)
    const forged = `spk_${record.id}_${other.text.slice(21)}`
    expect(await fault(forged)).toMatchObject({ code: 'api_key_invalid' })
  })

  it('whose record cannot be read let nobody in', async () => {
    const { ports, fault } = await house()
    const { text, record } = apiKey(1)
    for (const broken of ['{', '{}', JSON.stringify({ ...record, id: apiKey(2).record.id }), `{"owner":"root",${JSON.stringify(record).slice(1)}`]) {
      await ports.shared.set(sharedKeyOf('partners', record.id), broken, undefined)
      const house2 = await fault(text)
      expect(house2).toMatchObject({ code: 'key_store_unavailable' })
    }
  })

  it('are remembered whatever is made up meanwhile', async () => {
    const { keep, ask, fault, state } = await house()
    const { text, record } = apiKey(1)
    await keep(record)
    await ask(text)
    for (let i = 10; i < 2500; i++) await fault(apiKey(i).text)
    state.asked.length = 0
    await ask(text)
    expect(state.asked).toEqual([])
  })

  it('are remembered over a reload', async () => {
    const { keep, ask, askWith, build, state } = await house()
    const { text, record } = apiKey(1)
    await keep(record)
    await ask(text)
    const next = build()
    await askWith([['x-api-key', text]], [], next)
    expect(state.asked).toHaveLength(1)
    next.close()
  })
})

describe('keys in a file', () => {
  const set = apiKeySet('partners', { store: { kind: 'file', reference: 'file:/keys.json' } })

  it('are read again when their time is over, and believed when they changed', async () => {
    const { ask, fault, secrets, clock } = await house({ sets: [set] })
    const { text, record } = apiKey(1)
    secrets.on('file:/keys.json', apiKeyFile(record))
    expect(await ask(text)).toMatchObject({ subject: 'acme' })
    secrets.on('file:/keys.json', apiKeyFile({ ...record, revoked: 1 }))
    clock.advance(4999)
    expect(await ask(text)).toMatchObject({ subject: 'acme' })
    expect(secrets.reads).toHaveLength(1)
    clock.advance(1)
    expect((await fault(text))?.detail.internal).toContain('revoked')
  })

  it('stay as they were while the file is broken or gone, and that is said once', async () => {
    const { ask, secrets, clock, ports } = await house({ sets: [set] })
    const { text, record } = apiKey(1)
    secrets.on('file:/keys.json', apiKeyFile(record))
    await ask(text)
    for (const broken of ['', '{', apiKeyFile(record, record)]) {
      secrets.on('file:/keys.json', broken)
      clock.advance(86_400_000)
      expect(await ask(text)).toMatchObject({ subject: 'acme' })
    }
    expect(ports.journal.records).toEqual([{ event: 'api_keys_lost', set: 'partners', reason: expect.stringContaining('missing or empty') }])
    secrets.on('file:/keys.json', apiKeyFile(record))
    clock.advance(5000)
    await ask(text)
    expect(ports.journal.records.at(-1)).toEqual({ event: 'api_keys_back', set: 'partners' })
  })

  it('that were never readable are 503', async () => {
    const { fault } = await house({ sets: [set] })
    expect(await fault(apiKey(1).text)).toMatchObject({ code: 'key_store_unavailable' })
  })
})

it('two hashes are the same when every character is', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
  fc.assert(fc.property(hash, hash, (one, other) => sameHash(one, other) === (one === other) && sameHash(one, one)))
  expect(sameHash('ab', 'abc')).toBe(false)
  expect(sameHash('', 'a')).toBe(false)
})
