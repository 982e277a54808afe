import { mkdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fingerprintOf, readPolicyFolder } from '../../src/node/policy-source/folder.ts'
import { tempFolder } from '../support/temp-folder.ts'

describe('the policies folder', () => {
  it('holds documents of three spellings, without policy tests and hidden files, and everything as an asset', async () => {
    const folder = await tempFolder({
      'a.yaml': 'a',
      'team/b.yml': 'b',
      'team/c.json': 'c',
      'environments/dev.yaml': 'd',
      'a.test.yaml': 'test',
      'notes.txt': 'n',
      '.hidden.yaml': 'h',
      '.git/config.yaml': 'g',
      'descriptors/shop.binpb': new Uint8Array([0xff, 0]),
    })
    const read = await readPolicyFolder(folder.path)
    expect(read.problems).toEqual([])
    expect(read.files).toEqual([
      { path: 'a.yaml', text: 'a' },
      { path: 'environments/dev.yaml', text: 'd' },
      { path: 'team/b.yml', text: 'b' },
      { path: 'team/c.json', text: 'c' },
    ])
    expect([...read.assets.keys()]).toEqual([
      'a.test.yaml',
      'a.yaml',
      'descriptors/shop.binpb',
      'environments/dev.yaml',
      'notes.txt',
      'team/b.yml',
      'team/c.json',
    ])
    expect([...(read.assets.get('descriptors/shop.binpb') ?? [])]).toEqual([0xff, 0])
  })

  it('has a hash of names and contents, whatever the times of the files', async () => {
    const one = await tempFolder({ 'a.yaml': 'x', 'b.yaml': 'y' })
    const same = await tempFolder({ 'b.yaml': 'y', 'a.yaml': 'x' })
    const moved = await tempFolder({ 'a.yaml': 'xb.yaml', 'b.yaml': '' })
    const hash = async (path: string) => (await readPolicyFolder(path)).hash
    expect(await hash(one.path)).toBe(await hash(same.path))
    expect(await hash(one.path)).not.toBe(await hash(moved.path))
  })

  it('follows links that stay inside, as mounted config maps have them', async () => {
    const folder = await tempFolder({ '..2026_01/a.yaml': 'first', '..2026_02/a.yaml': 'second' })
    const { path } = folder
    await symlink('..2026_01', join(path, '..data'))
    await symlink('..data/a.yaml', join(path, 'a.yaml'))
    const before = await fingerprintOf(path)
    expect((await readPolicyFolder(path)).files).toEqual([{ path: 'a.yaml', text: 'first' }])
    await symlink('..2026_02', join(path, '..data_tmp'))
    await rename(join(path, '..data_tmp'), join(path, '..data'))
    expect((await readPolicyFolder(path)).files).toEqual([{ path: 'a.yaml', text: 'second' }])
    expect(await fingerprintOf(path)).not.toBe(before)
  })

  it('refuses a link that leads out, and then serves nothing of the folder', async () => {
    const outside = await tempFolder({ 'secret.yaml': 'secret' })
    const folder = await tempFolder({ 'a.yaml': 'a' })
    await symlink(join(outside.path, 'secret.yaml'), join(folder.path, 'b.yaml'))
    await symlink(outside.path, join(folder.path, 'c'))
    const read = await readPolicyFolder(folder.path)
    expect(read.files).toEqual([])
    expect(read.problems.map(({ code, file }) => [code, file])).toEqual([
      ['folder_escape', 'b.yaml'],
      ['folder_escape', 'c'],
    ])
  })

  it('refuses a folder that is inside itself, a dangling link, and text that is not UTF-8', async () => {
    const folder = await tempFolder({ 'sub/a.yaml': 'a' })
    await symlink('..', join(folder.path, 'sub', 'up'))
    await symlink('nowhere', join(folder.path, 'dangling.yaml'))
    expect((await readPolicyFolder(folder.path)).problems.map(({ code, file }) => [code, file])).toEqual([
      ['folder_unreadable', 'dangling.yaml'],
      ['folder_loop', 'sub/up'],
    ])
    const binary = await tempFolder({ 'a.yaml': new Uint8Array([0x61, 0xff]) })
    expect((await readPolicyFolder(binary.path)).problems).toMatchObject([{ code: 'folder_unreadable', file: 'a.yaml' }])
  })

  it('refuses files of unusual size without reading them', async () => {
    const folder = await tempFolder({ 'big.yaml': new Uint8Array(8 * 1024 * 1024 + 1), 'big.binpb': new Uint8Array(8 * 1024 * 1024 + 1) })
    expect((await readPolicyFolder(folder.path)).problems).toMatchObject([{ code: 'file_too_large', file: 'big.yaml' }])
  })

  it('says so when the folder is not there, or is a file', async () => {
    const folder = await tempFolder({ file: '' })
    for (const path of [join(folder.path, 'missing'), join(folder.path, 'file')]) {
      const { problems, files } = await readPolicyFolder(path)
      expect(files).toEqual([])
      expect(problems).toMatchObject([{ code: 'folder_unreadable', message: expect.stringContaining(path) }])
    }
  })

  it('has a fingerprint that changes with a replaced file, a new folder entry, and a missing folder', async () => {
    const folder = await tempFolder({ 'a.yaml': 'a' })
    const seen = new Set<string>([await fingerprintOf(folder.path)])
    await folder.write('next', 'b')
    await rename(join(folder.path, 'next'), join(folder.path, 'a.yaml'))
    seen.add(await fingerprintOf(folder.path))
    await mkdir(join(folder.path, 'sub'))
    await folder.write('sub/b.yaml', 'b')
    seen.add(await fingerprintOf(folder.path))
    await rm(folder.path, { recursive: true })
    seen.add(await fingerprintOf(folder.path))
    expect(seen.size).toBe(4)
  })
})
