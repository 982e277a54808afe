import { Metadata, type StatusObject } from '@grpc/grpc-js'
import type { GrpcStatus } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import { FieldList } from '../../core/model/fields.ts'
import { eachEndToEnd } from '../../core/model/hop-by-hop.ts'
import type { Fields } from '../../core/model/wire.ts'

/** What the transport itself writes, or what would change the meaning of the bytes we hand it. */
const ours: ReadonlySet<string> = new Set(['host', 'content-type', 'content-length', 'user-agent', 'te', 'grpc-encoding', 'grpc-accept-encoding', 'expect'])

/** Fields as metadata; values of `-bin` keys stand in fields as they do on the wire, in base64. @throws Fault `request_invalid` for what metadata cannot hold. */
export function metadataFromFields(fields: Fields): Metadata {
  const metadata = new Metadata()
  try {
    eachEndToEnd(fields, (name, value) => {
      if (ours.has(name)) return
      if (!name.endsWith('-bin')) metadata.add(name, value)
      // Several binary values may share one field, separated by commas (gRPC over HTTP/2, Custom-Metadata).
      else for (const part of value.split(',')) metadata.add(name, Buffer.from(part.trim(), 'base64'))
    })
  } catch (error) {
    throw new Fault('request_invalid', 'a header cannot be sent as metadata', { cause: error })
  }
  return metadata
}

/** Metadata as fields, binary values in base64 without padding. */
export function fieldsFromMetadata(metadata: Metadata | undefined): FieldList {
  const fields = new FieldList()
  if (metadata === undefined) return fields
  for (const [name, values] of Object.entries(metadata.toJSON())) {
    for (const value of values) fields.append(name, typeof value === 'string' ? value : unpadded(value))
  }
  return fields
}

export function isEmptyMetadata(metadata: Metadata): boolean {
  return Object.keys(metadata.getMap()).length === 0
}

export function statusFrom({ code, details, metadata }: StatusObject): GrpcStatus {
  const [rich] = metadata.get('grpc-status-details-bin')
  // A `grpc-status` that is no number counts as UNKNOWN (gRPC over HTTP/2, "Status").
  const known = Number.isInteger(code) && Math.sign(code) !== -1 ? code : 2
  return { code: known, message: details, details: rich instanceof Buffer ? rich : undefined, trailers: fieldsFromMetadata(metadata) }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
