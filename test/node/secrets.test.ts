import { rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSecrets } from '../../src/node/secrets.ts'
import { tempFolder } from '../support/temp-folder.ts'

describe('secrets', () => {
  it('come from variables', async () => {
    const secrets = createSecrets({ KEY: 'v4lue', EMPTY: '' })
    expect(await secrets.read('env:KEY')).toBe('v4lue')
    await expect(secrets.read('env:EMPTY')).rejects.toThrow('env:EMPTY is empty')
    await expect(secrets.read('env:MISSING')).rejects.toThrow('env:MISSING is not set')
    await expect(secrets.read('env:__proto__')).rejects.toThrow('env:__proto__ is not set')
    await expect(secrets.read('vault:kv/x#y')).rejects.toThrow('VAULT_ADDR is not set')
    await expect(secrets.read('gcp:x')).rejects.toThrow('gcp: is not a kind of secret reference')
  })

  it('come from files without the newline at the end', async () => {
    const folder = await tempFolder({ a: 'one\n', b: 'two\r\n', c: 'three\n\n', d: '\n' })
    const secrets = createSecrets({})
    expect(await secrets.read(`file:${folder.path}/a`)).toBe('one')
    expect(await secrets.read(`file:${folder.path}/b`)).toBe('two')
    expect(await secrets.read(`file:${folder.path}/c`)).toBe('three\n')
    await expect(secrets.read(`file:${folder.path}/d`)).rejects.toThrow('/d is empty')
  })

  it('are read again when the file is rewritten, replaced, or goes away', async () => {
    const folder = await tempFolder({ key: 'old' })
    const path = join(folder.path, 'key')
    const secrets = createSecrets({})
    expect(await secrets.read(`file:${path}`)).toBe('old')
    await folder.write('key', 'newer')
    expect(await secrets.read(`file:${path}`)).toBe('newer')
    // Same length, same times as before: only the inode tells.
    await folder.write('next', 'other')
    await utimes(join(folder.path, 'next'), new Date(0), new Date(0))
    await utimes(path, new Date(0), new Date(0))
    expect(await secrets.read(`file:${path}`)).toBe('newer')
    await rename(join(folder.path, 'next'), path)
    expect(await secrets.read(`file:${path}`)).toBe('other')
    await rm(path)
    await expect(secrets.read(`file:${path}`)).rejects.toThrow(`file:${path} cannot be read (ENOENT)`)
  })

  it('refuse folders and very large files', async () => {
    const folder = await tempFolder({ large: 'x'.repeat(1024 * 1024 + 1), 'sub/a': '' })
    const secrets = createSecrets({})
    await expect(secrets.read(`file:${folder.path}/large`)).rejects.toThrow('larger than 1 MiB')
    await expect(secrets.read(`file:${folder.path}/sub`)).rejects.toThrow('cannot be read')
  })
})
