import type { DescMethod } from '@bufbuild/protobuf'

/** Numbers of fields along the paths of SourceCodeInfo (google/protobuf/descriptor.proto), and of the extension google.api.http. */
const at = { service: 6, method: 2, options: 4, http: 72_295_728 } as const

/** Where the HTTP rule of an RPC stands: the proto file, and the line of the option (else of the RPC) when the set has source information. */
export function placeOf(method: DescMethod): string {
  const file = method.parent.file.proto
  const rpc = [at.service, file.service.indexOf(method.parent.proto), at.method, method.parent.proto.method.indexOf(method.proto)]
  const locations = file.sourceCodeInfo?.location ?? []
  const option = locations.find(({ path }) => isUnder(path, [...rpc, at.options, at.http]))
  const line = (option ?? locations.find(({ path }) => path.length === rpc.length && isUnder(path, rpc)))?.span[0]
  return line === undefined ? file.name : `${file.name}:${line + 1}`
}

function isUnder(path: readonly number[], start: readonly number[]): boolean {
  return start.every((step, i) => path[i] === step)
}
