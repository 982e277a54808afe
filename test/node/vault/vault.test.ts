import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { secretPattern } from '../../../src/core/policy/document/fields.ts'
import { createClock } from '../../../src/node/clock.ts'
import { createFetch } from '../../../src/node/fetch.ts'
import { createResolve } from '../../../src/node/resolve.ts'
import { createSecrets } from '../../../src/node/secrets.ts'
import { readSettings } from '../../../src/node/settings.ts'
import { readVaultSettings } from '../../../src/node/vault/settings.ts'
import { createVault, parseVaultReference } from '../../../src/node/vault/vault.ts'
import { fakeClock } from '../../support/clock.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { openVault } from '../../support/vault.ts'

/** A Vault with one secret, and who reads it under a clock of the test's. */
async function open(variables: Readonly<Record<string, string>> = { VAULT_TOKEN: 'root' }) {
  const vault = await openVault(onTestFinished)
  vault.addToken('root')
  vault.put('pay', { key: 'k-1', other: 'o-1' })
  const clock = fakeClock()
  const real = createClock()
  const all = { VAULT_ADDR: vault.address, ...variables }
  const problems: string[] = []
  const settings = readVaultSettings(all, problems)
  if (settings === undefined) throw new Error(problems.join())
  // Without the reach of vault: itself: what asks Vault is no secret of it.
  const secrets = createSecrets(all)
  const { read } = createVault(settings, { clock, fetch: createFetch({ clock: real, resolve: createResolve(real), secrets }), secrets })
  const reads = () => vault.asked.filter((line) => line.includes('/data/')).length
  return { vault, clock, read, reads, all }
}

describe('a secret of Vault', () => {
  it('is a field of a secret, of the last version or of one', async () => {
    const { vault, read } = await open()
    vault.put('team/pay', { key: 'one' })
    vault.put('team/pay', { key: 'two' })
    expect(await read('vault:kv/pay#key')).toBe('k-1')
    expect(await read('vault:kv/team/pay#key')).toBe('two')
    expect(await read('vault:kv/team/pay?version=1#key')).toBe('one')
  })

  it('comes through the gateway’s own secrets, and nowhere without an address', async () => {
    const { all } = await open()
    expect(await createSecrets(all).read('vault:kv/pay#key')).toBe('k-1')
    await expect(createSecrets({ VAULT_TOKEN: 'root' }).read('vault:kv/pay#key')).rejects.toThrow('VAULT_ADDR is not set')
    await expect(createSecrets({ ...all, VAULT_ROLE: 'r' }).read('vault:kv/pay#key')).rejects.toThrow('exclude each other')
  })

  it('is asked for once, however many wait, and its fields are of one version', async () => {
    const { read, reads } = await open()
    const values = await Promise.all(Array.from({ length: 1_000 }, (_, i) => read(`vault:kv/pay#${i % 2 === 0 ? 'key' : 'other'}`)))
    expect([new Set(values), reads()]).toEqual([new Set(['k-1', 'o-1']), 1])
  })

  it('is renewed in the background after a minute, and waited for after two', async () => {
    const { vault, clock, read, reads } = await open()
    await read('vault:kv/pay#key')
    vault.put('pay', { key: 'k-2' })
    clock.advance(59_999)
    expect([await read('vault:kv/pay#key'), reads()]).toEqual(['k-1', 1])
    clock.advance(1)
    expect(await read('vault:kv/pay#key')).toBe('k-1')
    await expect.poll(() => read('vault:kv/pay#key')).toBe('k-2')
    vault.put('pay', { key: 'k-3' })
    clock.advance(120_000)
    expect(await read('vault:kv/pay#key')).toBe('k-3')
  })

  it.each(['sealed', 'standby', 'error', 'html', 'nothing'] as const)('goes on for ten minutes while Vault is away (%s), and no longer', async (how) => {
    const { vault, clock, read } = await open()
    await read('vault:kv/pay#key')
    vault.answer(how)
    clock.advance(300_000)
    expect(await read('vault:kv/pay#key')).toBe('k-1')
    clock.advance(299_999)
    expect(await read('vault:kv/pay#key')).toBe('k-1')
    clock.advance(1)
    await expect(read('vault:kv/pay#key')).rejects.toThrow({ sealed: 'sealed', standby: 'standby', error: '500', html: 'JSON', nothing: 'reached' }[how])
    vault.answer(undefined)
    clock.advance(30_000)
    expect(await read('vault:kv/pay#key')).toBe('k-1')
  })

  it('is not asked for more often than once a second, then two, while Vault is away', async () => {
    const { vault, clock, read, reads } = await open()
    await read('vault:kv/other#key').catch(() => {})
    vault.answer('sealed')
    clock.advance(1_000)
    const before = reads()
    for (let i = 0; i < 20; i++) await expect(read('vault:kv/other#key')).rejects.toThrow('sealed')
    expect(reads() - before).toBe(1)
    clock.advance(2_000)
    await expect(read('vault:kv/other#key')).rejects.toThrow('sealed')
    expect(reads() - before).toBe(2)
  })

  it.each([
    ['was deleted', (vault: Awaited<ReturnType<typeof openVault>>) => vault.delete('pay', 1), 'deleted (404)'],
    ['may be read no more', (vault: Awaited<ReturnType<typeof openVault>>) => vault.revoke('root'), '403'],
  ])('that %s ends as soon as Vault says so', async (_, change, message) => {
    const { vault, clock, read } = await open()
    await read('vault:kv/pay#key')
    change(vault)
    clock.advance(120_000)
    await expect(read('vault:kv/pay#key')).rejects.toThrow(message)
  })

  it.each([
    ['vault:kv/none#key', 'no such secret (404)'],
    ['vault:kv/pay#none', 'no such field'],
    ['vault:kv/pay?version=9#key', '404'],
    ['vault:kv/denied/x#key', '403'],
    ['vault:kv/odd#number', 'no text'],
    ['vault:sys/health#key', '404'],
    ['vault:kv/../sys#key', 'not a reference'],
    ['vault:kv/pay', 'not a reference'],
  ])('is refused strictly: %s', async (reference, message) => {
    const { vault, read } = await open()
    vault.put('odd', { number: 7 })
    const error = await read(reference).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain(message)
    expect(String(error)).not.toContain('root')
  })

  it('is asked for in its namespace', async () => {
    const { vault, read, clock } = await open({ VAULT_TOKEN: 'root', VAULT_NAMESPACE: 'team' })
    vault.namespace.required = 'team'
    expect(await read('vault:kv/pay#key')).toBe('k-1')
    vault.namespace.required = 'else'
    clock.advance(120_000)
    await expect(read('vault:kv/pay#key')).rejects.toThrow('403')
  })
})

describe('who asks Vault', () => {
  it('has a token that is renewed after two thirds of its lease, though nobody reads', async () => {
    const { vault, clock, read } = await open({ VAULT_TOKEN: 'leased' })
    vault.addToken('leased', { ttl: 90, renewable: true })
    await read('vault:kv/pay#key')
    expect(vault.asked).not.toContain('POST /v1/auth/token/renew-self')
    clock.advance(60_000)
    await expect.poll(() => vault.asked).toContain('POST /v1/auth/token/renew-self')
  })

  it('reads its token’s file again when it is refused', async () => {
    const folder = await tempFolder({ token: 'root' })
    const { vault, clock, read } = await open({ VAULT_TOKEN_FILE: `${folder.path}/token` })
    await read('vault:kv/pay#key')
    await folder.write('token', 'next')
    vault.addToken('next')
    vault.revoke('root')
    clock.advance(120_000)
    expect(await read('vault:kv/pay#key')).toBe('k-1')
  })

  it('logs in with the service account of its pod, once, and anew when its token is refused', async () => {
    const folder = await tempFolder({ jwt: 'pod-jwt' })
    const { vault, clock, read } = await open({ VAULT_ROLE: 'gateway', VAULT_JWT_FILE: `${folder.path}/jwt` })
    vault.account('pod-jwt', { ttl: 3_600, renewable: true })
    const logins = () => vault.asked.filter((line) => line.endsWith('/login')).length
    await Promise.all([read('vault:kv/pay#key'), read('vault:kv/pay?version=1#key')])
    expect(logins()).toBe(1)
    vault.revoke('hvs.1')
    clock.advance(120_000)
    expect([await read('vault:kv/pay#key'), logins()]).toEqual(['k-1', 2])
  })

  it('logs in anew before a token that can be renewed no further ends', async () => {
    const folder = await tempFolder({ jwt: 'pod-jwt' })
    const { vault, clock, read } = await open({ VAULT_ROLE: 'gateway', VAULT_JWT_FILE: `${folder.path}/jwt` })
    vault.account('pod-jwt', { ttl: 90, renewable: true, left: 10 })
    await read('vault:kv/pay#key')
    clock.advance(60_000)
    await expect.poll(() => vault.asked.filter((line) => line.endsWith('/login')).length).toBe(2)
  })

  it.each([
    ['an account that Vault does not know', { jwt: 'other' }, '403'],
    ['an account whose file is empty', { jwt: '' }, 'missing or empty'],
  ])('gets nothing with %s', async (_, files, message) => {
    const folder = await tempFolder(files)
    const { read } = await open({ VAULT_ROLE: 'gateway', VAULT_JWT_FILE: `${folder.path}/jwt` })
    await expect(read('vault:kv/pay#key')).rejects.toThrow(message)
  })
})

describe('settings of Vault', () => {
  const problemsOf = (variables: Readonly<Record<string, string>>) => {
    const problems: string[] = []
    readVaultSettings(variables, problems)
    return problems.join('; ')
  }

  it.each([
    [{ VAULT_ADDR: 'http://vault.example', VAULT_TOKEN: 't' }, 'VAULT_ADDR'],
    [{ VAULT_ADDR: 'https://u:p@vault.example', VAULT_TOKEN: 't' }, 'VAULT_ADDR'],
    [{ VAULT_ADDR: 'https://vault.example' }, 'nothing says who asks'],
    [{ VAULT_ADDR: 'https://vault.example', VAULT_TOKEN: 't', VAULT_ROLE: 'r' }, 'exclude each other'],
    [{ VAULT_ADDR: 'https://vault.example', VAULT_TOKEN_FILE: 'relative' }, 'VAULT_TOKEN_FILE'],
    [{ VAULT_ADDR: 'https://vault.example', VAULT_ROLE: 'r', VAULT_AUTH_PATH: '../x' }, 'VAULT_AUTH_PATH'],
    [{ VAULT_ADDR: 'https://vault.example', VAULT_TOKEN: 't', VAULT_CACERT: 'ca.pem' }, 'VAULT_CACERT'],
    [{ VAULT_ADDR: 'https://vault.example', VAULT_TOKEN: 't', VAULT_REFRESH: '0s' }, 'VAULT_REFRESH'],
    [{ VAULT_ADDR: 'https://vault.example', VAULT_TOKEN: 't', VAULT_STALE: 'soon' }, 'VAULT_STALE'],
  ])('that cannot be meant are refused: %j', (variables, message) => {
    expect(problemsOf(variables)).toContain(message)
  })

  it('keep a gateway from starting while they cannot be meant', () => {
    expect(() => readSettings({ environment: 'dev' }, { VAULT_ADDR: 'https://vault.example' }, false)).toThrow('nothing says who asks')
  })

  it('are none without an address', () => {
    expect([readVaultSettings({ VAULT_TOKEN: 't' }, []), problemsOf({ VAULT_TOKEN: 't', VAULT_ROLE: 'r' })]).toEqual([undefined, ''])
  })

  it('turn into times and a file of authorities', () => {
    const settings = readVaultSettings(
      { VAULT_ADDR: 'https://vault.example/', VAULT_TOKEN: 't', VAULT_CACERT: '/ca.pem', VAULT_REFRESH: '5m', VAULT_STALE: '1h' },
      [],
    )
    expect(settings).toMatchObject({ address: 'https://vault.example', ca: 'file:/ca.pem', refreshMs: 300_000, staleMs: 3_600_000 })
  })
})

it('a reference that the policies take is one that can be read, and the other way round', () => {
  const part = fc.constantFrom('kv', 'pay', '.', '..', '...', 'a.b', '', '/', '#', '?', 'version=1', 'x y', '%2e')
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.constantFrom('/', '#', '?version=1#')), { maxLength: 8 }), (parts) => {
      const reference = `vault:${parts.join('')}`
      expect(parseVaultReference(reference) !== undefined).toBe(secretPattern.test(reference))
    }),
    { numRuns: 5_000 },
  )
})
