import { type DescriptorBook, healthDescriptors, healthSet, readDescriptors } from '../../protobuf.ts'
import type { RawObject } from '../collect.ts'
import type { LoadInput } from '../loading.ts'
import { nodeAt } from '../read/node.ts'
import { sha256 } from '../revision.ts'

export interface PinnedDescriptors {
  readonly bytes: Uint8Array
  /** Lower-case hex SHA-256 of the bytes. */
  readonly digest: string
  readonly book: DescriptorBook
}

/** Reads descriptor sets beside the policies, each once. A problem is a sentence. */
export type Descriptors = (path: string) => PinnedDescriptors | { readonly problem: string }

/** Takes the digests of all sets that clusters name; the sets themselves are read when they are asked for. */
export async function openDescriptors(asset: LoadInput['asset'], objects: Iterable<RawObject>): Promise<Descriptors> {
  const digests = new Map<string, string>()
  for (const path of pathsIn(objects)) {
    const bytes = asset(path)
    if (bytes !== undefined) digests.set(path, await sha256(bytes))
  }
  const read = new Map<string, ReturnType<Descriptors>>()
  return (path) => {
    const known = read.get(path)
    if (known !== undefined) return known
    const fresh = path === healthSet ? readOne(healthDescriptors(), path, '') : readOne(asset(path), path, digests.get(path) ?? '')
    read.set(path, fresh)
    return fresh
  }
}

/** Whatever stands where a cluster names its set. */
function pathsIn(objects: Iterable<RawObject>): ReadonlySet<string> {
  const paths = new Set<string>()
  for (const { section, value } of objects) {
    if (section !== 'clusters') continue
    for (const node of [nodeAt(value, ['descriptors']), nodeAt(value, ['descriptors', 'file'])]) {
      if (node?.kind === 'scalar' && typeof node.value === 'string') paths.add(node.value)
    }
  }
  return paths
}

function readOne(bytes: Uint8Array | undefined, path: string, digest: string): ReturnType<Descriptors> {
  if (bytes === undefined) return { problem: `There is no file ${path} under the policies folder.` }
  const book = readDescriptors(bytes)
  return 'problem' in book ? { problem: `${path} cannot be read: ${book.problem}.` } : { bytes, digest, book }
}
