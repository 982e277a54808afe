import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Policy } from '../../src/core/policy/policy.ts'
import type { LoadedFolder, LoadRequest } from '../../src/node/policy-source/load-folder.ts'
import { type WatchOptions, watchFolder } from '../../src/node/policy-source/watch.ts'
import { openPolicySource } from '../../src/node/policy-source.ts'
import { tempFolder } from '../support/temp-folder.ts'

const base = { folder: '/p', environment: 'dev', variables: {} }
const loaded = (hash: string, more: Partial<LoadedFolder> = {}): LoadedFolder => ({
  policy: { revision: hash } as Policy,
  diagnostics: [],
  origins: {},
  hash,
  unchanged: false,
  ...more,
})

describe('the policy source', () => {
  it('tells the loader what it knows, and passes on that nothing changed', async () => {
    const asked: (string | undefined)[] = []
    const answers = [loaded('a'), loaded('a', { unchanged: true, policy: undefined }), loaded('b')]
    const load = async (request: LoadRequest) => {
      asked.push(request.known)
      return answers.shift() as LoadedFolder
    }
    const source = openPolicySource({ ...base, load })
    expect(await source.load()).toMatchObject({ kind: 'loaded', policy: { revision: 'a' } })
    expect(await source.load()).toEqual({ kind: 'unchanged' })
    expect(await source.load()).toMatchObject({ kind: 'loaded' })
    expect(asked).toEqual([undefined, 'a', 'a'])
  })

  it('fails with the diagnostics when nothing can be served', async () => {
    const diagnostic = { severity: 'error', code: 'x', file: 'a.yaml', line: 2, column: 3, message: 'bad', hint: undefined, object: undefined } as const
    const source = openPolicySource({ ...base, load: async () => loaded('a', { policy: undefined, diagnostics: [diagnostic] }) })
    expect(await source.load()).toEqual({ kind: 'failed', diagnostics: [diagnostic] })
  })

  it('survives a thread that dies, and asks again from scratch', async () => {
    const asked: (string | undefined)[] = []
    const load = async (request: LoadRequest) => {
      asked.push(request.known)
      if (asked.length === 2) throw new Error('out of memory')
      return loaded('a')
    }
    const source = openPolicySource({ ...base, load })
    await source.load()
    expect(await source.load()).toMatchObject({ kind: 'failed', diagnostics: [{ code: 'load_failed', message: expect.stringContaining('out of memory') }] })
    await source.load()
    expect(asked).toEqual([undefined, 'a', undefined])
  })

  it('runs one load at a time', async () => {
    let running = 0
    let most = 0
    const load = async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise<void>((resolve) => setImmediate(resolve))
      running -= 1
      return loaded('a')
    }
    const source = openPolicySource({ ...base, load })
    await Promise.all([source.load(), source.load(), source.load()])
    expect(most).toBe(1)
  })
})

function watched(path: string, options: WatchOptions) {
  let waiting: (() => void)[] = []
  let told = 0
  const watch = watchFolder(path, options, () => {
    told += 1
    const now = waiting
    waiting = []
    for (const resolve of now) resolve()
  })
  onTestFinished(() => watch.close())
  return { next: () => new Promise<void>((resolve) => waiting.push(resolve)), told: () => told }
}

describe('watching the folder', () => {
  it('tells of a new file, a rewritten one, one that was moved into place, and one that went away', async () => {
    const folder = await tempFolder({ 'a.yaml': 'a', 'sub/b.yaml': 'b' })
    // The poll is far away: what is told here, the system told.
    const { next, told } = watched(folder.path, { quietMs: 5, pollMs: 60_000 })
    const changes: (() => Promise<void>)[] = [
      () => folder.write('c.yaml', 'c'),
      () => folder.write('sub/b.yaml', 'b2'),
      async () => {
        await folder.write('.next', 'a2')
        await rename(join(folder.path, '.next'), join(folder.path, 'a.yaml'))
      },
      () => rm(join(folder.path, 'c.yaml')),
    ]
    for (const change of changes) {
      const heard = next()
      await change()
      await heard
    }
    expect(told()).toBeGreaterThanOrEqual(changes.length)
  })

  it('tells every time of a file that is moved into place again and again, and of one in a folder that is new', async () => {
    const folder = await tempFolder({ 'live/a.yaml': 'a' })
    const { next, told } = watched(join(folder.path, 'live'), { quietMs: 1, pollMs: 60_000 })
    for (let i = 0; i < 20; i++) {
      await folder.write('aside/a.yaml', `a${i}`)
      const heard = next()
      await rename(join(folder.path, 'aside/a.yaml'), join(folder.path, 'live/a.yaml'))
      await heard
    }
    for (const file of ['new/b.yaml', 'new/b.yaml', 'new/deep/c.yaml', 'new/deep/c.yaml']) {
      const heard = next()
      await folder.write(`live/${file}`, 'b')
      await heard
    }
    expect(told()).toBeGreaterThanOrEqual(24)
  })

  it('finds by polling what the system does not tell: the folder replaced as a whole, and made again', async () => {
    const folder = await tempFolder({ 'live/a.yaml': 'a', 'next/a.yaml': 'a2' })
    const { next, told } = watched(join(folder.path, 'live'), { quietMs: 5, pollMs: 20 })
    const gone = next()
    await rename(join(folder.path, 'live'), join(folder.path, 'old'))
    await gone
    const back = next()
    await rename(join(folder.path, 'next'), join(folder.path, 'live'))
    await back
    const edited = next()
    await folder.write('live/a.yaml', 'a3')
    await edited
    expect(told()).toBeGreaterThanOrEqual(3)
  })
})
