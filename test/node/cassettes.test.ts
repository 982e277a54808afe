import { mkdtemp, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createCassettes } from '../../src/node/cassettes.ts'
import { createRandom } from '../../src/node/random.ts'

async function open() {
  const folder = await mkdtemp(join(tmpdir(), 'cassettes-'))
  return { folder, cassettes: createCassettes(folder, createRandom()) }
}

it('keeps what is added in order, in files and a folder that only their owner may read', async () => {
  const { folder, cassettes } = await open()
  expect(await cassettes.list('pay')).toEqual([])
  expect(await cassettes.add('pay', 'POST /v1/Charges/../x?', 'one')).toBe(true)
  expect(await cassettes.add('pay', 'GET /', 'two')).toBe(true)
  const names = (await cassettes.list('pay')).map(({ name }) => name)
  expect(names).toEqual(['00001-post-v1-charges-x.json', '00002-get.json'])
  expect(await Promise.all(names.map((name) => cassettes.read('pay', name)))).toEqual(['one', 'two'])
  const modes = await Promise.all([join(folder, 'pay'), ...names.map((name) => join(folder, 'pay', name))].map(async (path) => (await stat(path)).mode & 0o777))
  expect(modes).toEqual([0o700, 0o600, 0o600])
  expect((await readdir(join(folder, 'pay'))).toSorted()).toEqual(names)
})

it('gives every recording a number of its own, whoever adds at the same moment', async () => {
  const { folder } = await open()
  await Promise.all(Array.from({ length: 40 }, (_, i) => createCassettes(folder, createRandom()).add('pay', `GET /${i}`, `text ${i}`)))
  const names = (await readdir(join(folder, 'pay'))).toSorted()
  expect(names.map((name) => Number(name.slice(0, 5)))).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
})

it('says that a cassette is full, and tells a file that was edited', async () => {
  const { folder, cassettes } = await open()
  await cassettes.add('pay', 'GET /', 'one')
  const before = await cassettes.list('pay')
  await writeFile(join(folder, 'pay', '00001-get.json'), 'edited')
  expect((await cassettes.list('pay'))[0]?.version).not.toBe(before[0]?.version)
  await Promise.all(Array.from({ length: 999 }, (_, i) => writeFile(join(folder, 'pay', `${String(i + 2).padStart(5, '0')}-x.json`), 'x')))
  expect(await cassettes.add('pay', 'GET /', 'more')).toBe(false)
})
