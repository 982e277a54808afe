import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/core/ports.ts'
import { createFileStore, createMemoryStore } from '../../src/node/store.ts'
import { type FakeClock, fakeClock } from '../support/clock.ts'
import { seededRandom } from '../support/ports.ts'
import { tempFolder } from '../support/temp-folder.ts'

const grounds: Readonly<Record<string, (clock: FakeClock) => Promise<Store>>> = {
  memory: async (clock) => createMemoryStore(clock),
  file: async (clock) => createFileStore(join((await tempFolder()).path, 'state'), { clock, random: seededRandom(1) }),
}

for (const [name, open] of Object.entries(grounds)) {
  describe(`the ${name} store`, () => {
    it('gives back what was set last, until its time is over', async () => {
      const clock = fakeClock()
      const store = await open(clock)
      expect(await store.get('k')).toBeUndefined()
      await store.set('k', 'one', 1000)
      await store.set('k', 'two', 1000)
      expect(await store.get('k')).toBe('two')
      clock.advance(1000)
      expect(await store.get('k')).toBeUndefined()
    })
  })
}

describe('the file store', () => {
  it('outlives the process, and only its user may read it', async () => {
    const folder = await tempFolder()
    const ports = { clock: fakeClock(), random: seededRandom(1) }
    await createFileStore(folder.path, ports).set('keys of https://idp', '{"keys":[]}', 1000)
    expect(await createFileStore(folder.path, ports).get('keys of https://idp')).toBe('{"keys":[]}')
    const [file] = await readdir(folder.path)
    expect((await stat(join(folder.path, file as string))).mode & 0o777).toBe(0o600)
  })

  it('takes a damaged file for none, and leaves no temporary file behind', async () => {
    const folder = await tempFolder()
    const store = createFileStore(folder.path, { clock: fakeClock(), random: seededRandom(1) })
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.set('k', `v${i}`, 1000)))
    expect(await store.get('k')).toMatch(/^v\d+$/)
    const files = await readdir(folder.path)
    expect(files).toHaveLength(1)
    await folder.write(files[0] as string, '{"key":"k","val')
    expect(await store.get('k')).toBeUndefined()
  })
})

it('the memory store lets the oldest go beyond a thousand', async () => {
  const store = createMemoryStore(fakeClock())
  for (let i = 0; i <= 1000; i++) await store.set(`k${i}`, 'v', 1000)
  expect(await store.get('k0')).toBeUndefined()
  expect(await store.get('k1')).toBe('v')
})
