import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readApiKey } from '../../src/core/model/api-key.ts'
import { openKeyStore } from '../../src/node/api-keys.ts'
import type { Command } from '../../src/node/cli/command.ts'
import { explain } from '../../src/node/cli/commands/explain.ts'
import { keysCreate } from '../../src/node/cli/commands/keys-create.ts'
import { keysList } from '../../src/node/cli/commands/keys-list.ts'
import { keysRevoke } from '../../src/node/cli/commands/keys-revoke.ts'
import { keysRotate } from '../../src/node/cli/commands/keys-rotate.ts'
import { keysShow } from '../../src/node/cli/commands/keys-show.ts'
import { apiKey, apiKeySet } from '../support/api-keys.ts'
import { base } from '../support/load.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask as askCommand } from './ask.ts'

const policies = (store: string) => `sallyport: v1
apiKeys:
  partners: { store: "${store}", scopes: [orders:read, orders:write] }
clusters:
  orders: { address: "127.0.0.1:15001" }
access:
  orders:
    authenticate: { apiKey: partners }
    rules: [{ id: read, allow: { scopes: [orders:read] } }]
routes:
  orders: { match: { path: "/orders/{**}" }, access: orders, to: orders }
`

async function house(redis?: string) {
  const state = await tempFolder()
  const file = join(state.path, 'keys', 'partners.json')
  const more = redis === undefined ? '' : `store: { redis: "file:${join(state.path, 'redis')}" }\n`
  if (redis !== undefined) await state.write('redis', redis)
  const { path } = await tempFolder({ 'base.yaml': base, 'orders.yaml': policies(redis === undefined ? `file:${file}` : 'redis') + more })
  const ask = (command: Command, ...words: readonly string[]) => askCommand(command, ...words, '--env', 'dev', '--policies', path)
  const json = async (command: Command, ...words: readonly string[]) => JSON.parse((await ask(command, ...words, '--json')).out)
  /** What the gateway would say of a key. */
  const meets = async (key: string) => {
    const { out } = await ask(explain, 'GET', 'http://api.example.com/orders/7', '--header', `x-api-key: ${key}`, '--json')
    const { outcome } = JSON.parse(out)
    return outcome.kind === 'forwarded' ? 'forwarded' : `${outcome.code}: ${outcome.because}`
  }
  return { ask, json, meets, file, path }
}

function behaves(open: () => ReturnType<typeof house>): void {
  it('makes a key that the gateway takes, prints it once, and keeps its hash alone', async () => {
    const { ask, json, meets } = await open()
    const made = await ask(keysCreate, '--owner', 'acme', '--scopes', 'orders:read', '--expires', '90d', '--client', 'erp', '--note', 'pilot')
    expect(made.status).toBe(0)
    const key = made.out.trim()
    expect(readApiKey(key).kind).toBe('key')
    expect(made.err).toContain('shown this once')
    expect(made.err).not.toContain(key)
    expect(await meets(key)).toBe('forwarded')
    const listed = await ask(keysList)
    const shown = await ask(keysShow, key.slice(4, 20))
    expect(listed.out).toMatch(/acme +good .*orders:read/)
    for (const { out } of [listed, shown]) {
      expect(out).toContain(key.slice(4, 20))
      expect(out).not.toContain(key.slice(21))
      expect(out).not.toContain('hash')
    }
    expect(await json(keysShow, key)).toMatchObject({ set: 'partners', owner: 'acme', clientId: 'erp', state: 'good', note: 'pilot', scopes: ['orders:read'] })
  })

  it('revokes a key, and says so again when it was revoked already', async () => {
    const { ask, json, meets } = await open()
    const { key, id } = await json(keysCreate, '--owner', 'acme', '--scopes', 'orders:read')
    expect((await ask(keysRevoke, id)).out).toContain('gateways see it within 5 s')
    expect(await meets(key)).toBe(`api_key_invalid: the key ${id} is revoked`)
    expect((await ask(keysRevoke, id)).status).toBe(0)
    expect(await json(keysList)).toMatchObject({ keys: [{ id, state: 'revoked' }] })
  })

  it('rotates a key: both are good for the overlap, the new one with what the old one had', async () => {
    const { json, meets, ask } = await open()
    const { key, id } = await json(keysCreate, '--owner', 'acme', '--scopes', 'orders:read', '--claims', '{"tenant":"red"}', '--expires', '30d')
    const rotated = await json(keysRotate, id, '--overlap', '7d')
    expect(rotated).toMatchObject({ owner: 'acme', scopes: ['orders:read'], claims: { tenant: 'red' }, replaces: id })
    expect(await Promise.all([meets(key), meets(rotated.key)])).toEqual(['forwarded', 'forwarded'])
    const old = await json(keysShow, id)
    expect(old.rotatedTo).toBe(rotated.id)
    expect(Date.parse(old.expires) - Date.now()).toBeLessThanOrEqual(7 * 86_400_000)
    expect(Date.parse(rotated.expires) - Date.now()).toBeGreaterThan(29 * 86_400_000)
    expect(await ask(keysRotate, id)).toMatchObject({ status: 1, err: expect.stringContaining('rotated already') })
    const again = await json(keysRotate, rotated.id, '--overlap', '0s')
    expect(await meets(rotated.key)).toBe(`api_key_invalid: the key ${rotated.id} is expired: another took its place`)
    expect(await meets(again.key)).toBe('forwarded')
  })

  it('is not confused by many who write at once', async () => {
    const { ask, json } = await open()
    const made = await Promise.all(Array.from({ length: 8 }, (_, i) => ask(keysCreate, '--owner', `owner-${i}`)))
    expect(made.map(({ status }) => status)).toEqual(Array(8).fill(0))
    const { keys } = await json(keysList)
    expect(keys.map((key: { owner: string }) => key.owner).sort()).toEqual(Array.from({ length: 8 }, (_, i) => `owner-${i}`))
    const rotations = await Promise.all([ask(keysRotate, keys[0].id), ask(keysRotate, keys[0].id)])
    expect(rotations.map(({ status }) => status)).toEqual(expect.arrayContaining([0, 1]))
    expect((await json(keysList)).keys).toHaveLength(9)
    expect((await json(keysList, '--owner', keys[1].owner)).keys).toHaveLength(1)
  })

  it('says what is wrong', async () => {
    const { ask } = await open()
    await expect(ask(keysCreate)).rejects.toThrow('--owner')
    await expect(ask(keysCreate, '--owner', 'a\tb')).rejects.toThrow('--owner is no printable text')
    await expect(ask(keysCreate, '--owner', 'a', '--scopes', 'admin')).rejects.toThrow('never have admin')
    await expect(ask(keysCreate, '--owner', 'a', '--claims', '[]')).rejects.toThrow('JSON object')
    await expect(ask(keysCreate, '--owner', 'a', '--expires', 'soon')).rejects.toThrow('--expires')
    await expect(ask(keysCreate, '--owner', 'a', '--expires', '2020-01-01')).rejects.toThrow('over before it begins')
    await expect(ask(keysCreate, '--owner', 'a', '--set', 'others')).rejects.toThrow('the sets are partners')
    await expect(ask(keysShow)).rejects.toThrow('say which key')
    expect(await ask(keysShow, 'aaaaaaaaaaaaaaaa')).toMatchObject({ status: 1, err: 'partners has no key aaaaaaaaaaaaaaaa\n' })
    expect(await ask(keysList)).toMatchObject({ status: 0, out: 'partners has no keys\n' })
  })
}

describe('keys in a file', () => {
  behaves(() => house())

  it('are for their owner alone to read, also when they were not', async () => {
    const { ask, file } = await house()
    await ask(keysCreate, '--owner', 'acme')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await chmod(file, 0o644)
    await ask(keysCreate, '--owner', 'acme')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await expect(stat(`${file}.lock`)).rejects.toThrow('ENOENT')
  })

  it('are left alone when the file is broken', async () => {
    const { ask, file } = await house()
    await ask(keysCreate, '--owner', 'acme')
    await writeFile(file, '{ "sallyport": "api-keys/v1", "keys": [')
    expect(await ask(keysCreate, '--owner', 'acme')).toMatchObject({ status: 1, out: '', err: expect.stringContaining('cannot be read') })
    expect(await readFile(file, 'utf8')).toBe('{ "sallyport": "api-keys/v1", "keys": [')
  })

  it('that another command writes are waited for', async () => {
    const { ask, file, json } = await house()
    await ask(keysCreate, '--owner', 'acme')
    await writeFile(`${file}.lock`, '1\n')
    const second = ask(keysCreate, '--owner', 'other')
    await rm(`${file}.lock`)
    expect((await second).status).toBe(0)
    expect((await json(keysList)).keys).toHaveLength(2)
  })

  it('cannot be more than a gateway reads', async () => {
    const folder = await tempFolder()
    const store = await openKeyStore(apiKeySet('partners', { store: { kind: 'file', reference: `file:${folder.path}/keys.json` } }), undefined)
    const many = Array.from({ length: 8000 }, (_, i) => ({ before: undefined, after: apiKey(i).record }))
    await expect(store.change(many)).rejects.toThrow('Redis')
    expect(await store.list()).toEqual([])
  })
})

describe.skipIf(!hasRedis())('keys in Redis', () => {
  behaves(async () => {
    const server = await startRedis()
    onTestFinished(() => server.close())
    return house(server.url)
  })

  it('are not made while it is away', async () => {
    const { ask } = await house('redis://127.0.0.1:1')
    expect(await ask(keysCreate, '--owner', 'acme')).toMatchObject({ status: 1, out: '', err: 'Redis does not answer\n' })
  })
})
