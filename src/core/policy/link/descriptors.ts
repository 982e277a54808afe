import { type DescriptorBook, readDescriptors } from '../../protobuf.ts'
import type { LoadInput } from '../loading.ts'

export interface PinnedDescriptors {
  readonly bytes: Uint8Array
  readonly book: DescriptorBook
}

/** Reads descriptor sets beside the policies, each once. A problem is a sentence. */
export type Descriptors = (path: string) => PinnedDescriptors | { readonly problem: string }

export function openDescriptors(asset: LoadInput['asset']): Descriptors {
  const read = new Map<string, ReturnType<Descriptors>>()
  return (path) => {
    const known = read.get(path)
    if (known !== undefined) return known
    const fresh = readOne(asset(path), path)
    read.set(path, fresh)
    return fresh
  }
}

function readOne(bytes: Uint8Array | undefined, path: string): ReturnType<Descriptors> {
  if (bytes === undefined) return { problem: `There is no file ${path} under the policies folder.` }
  const book = readDescriptors(bytes)
  return 'problem' in book ? { problem: `${path} cannot be read: ${book.problem}.` } : { bytes, book }
}
