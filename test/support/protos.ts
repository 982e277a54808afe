import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type DescriptorBook, readDescriptors } from '../../src/core/protobuf.ts'
import { buildDescriptors } from '../../src/node/proto/build.ts'

/** A book compiled from .proto texts by file name. */
export async function bookFrom(files: Readonly<Record<string, string>>): Promise<DescriptorBook> {
  const book = readDescriptors(await descriptorsFrom(files))
  if ('problem' in book) throw new Error(book.problem)
  return book
}

/** A serialized descriptor set compiled from .proto texts by file name. */
export async function descriptorsFrom(files: Readonly<Record<string, string>>, options: { readonly comments?: boolean } = {}): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    return await buildDescriptors(folder, options)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
