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
  return {
    code: codeOf(code, details),
    message: fullyDecoded(details),
    details: rich instanceof Buffer ? rich : undefined,
    trailers: fieldsFromMetadata(metadata),
  }
}

function codeOf(code: number, details: string): number {
  // grpc-js does not know this one (gRPC, "HTTP to gRPC Status Code Mapping", as grpc-java has it).
  if (details === 'Received HTTP status code 431') return 13
  // A `grpc-status` that is no number counts as UNKNOWN (gRPC over HTTP/2, "Status").
  return Number.isInteger(code) && Math.sign(code) !== -1 ? code : 2
}

const reserved = /%(?:2[346BCF]|3[ABDF]|40)/gi

/**
 * grpc-js leaves the escapes of characters that are reserved in URLs. Some services escape all of them (connect-es), most none, and then such an
 * escape is text: which of the two a service does shows in whether one of these characters stands there as it is.
 */
function fullyDecoded(message: string): string {
  return message.includes('%') && !/[#$&+,/:;=?@]/.test(message) ? message.replaceAll(reserved, decodeURIComponent) : message
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
