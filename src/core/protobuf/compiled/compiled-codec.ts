import type { DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import type { Json } from '../strict-json.ts'
import { buildCoverage } from './coverage.ts'
import { buildJsonToWire } from './json-to-wire.ts'
import { WireReader } from './wire-reader.ts'
import { buildWireToJson, type JsonTextOptions } from './wire-to-json.ts'
import { WireWriter } from './wire-writer.ts'

/**
 * ProtoJSON to the wire and back in one pass, by closures built from the descriptors (no code is generated). Every answer may be
 * undefined: then the type is not covered or the input is not plain and valid, and the checked conversion has to be asked. It never throws.
 */
export interface CompiledCodec {
  /** Wire bytes of a message from its JSON form, which is left as it is. */
  encode(desc: DescMessage, json: Json): Uint8Array | undefined
  /** Wire bytes of a message with one field set. */
  encodeField(desc: DescMessage, field: DescField, json: Json): Uint8Array | undefined
  /** JSON text of a serialized message. */
  text(desc: DescMessage, bytes: Uint8Array): string | undefined
  /** JSON text of one field of a serialized message; empty when it has nothing to show. */
  fieldText(desc: DescMessage, field: DescField, bytes: Uint8Array): string | undefined
}

export function buildCompiledCodec(registry: Registry, options: JsonTextOptions & { readonly ignoreUnknownFields: boolean }): CompiledCodec {
  const covers = buildCoverage(registry)
  const jsonToWire = buildJsonToWire(options.ignoreUnknownFields)
  const wireToJson = buildWireToJson(options)
  // One for all: writing is never interrupted.
  const writer = new WireWriter()

  function written(write: (w: WireWriter) => void): Uint8Array | undefined {
    return attempt(() => {
      writer.reset()
      write(writer)
      return writer.finish()
    })
  }

  return {
    encode: (desc, json) => (covers(desc) ? written((w) => jsonToWire.message(desc)(w, json)) : undefined),
    encodeField: (desc, field, json) => (covers(desc) && json !== null ? written((w) => jsonToWire.field(field)(w, json)) : undefined),
    text: (desc, bytes) => (covers(desc) ? attempt(() => wireToJson.message(desc)(new WireReader(bytes))) : undefined),
    fieldText: (desc, field, bytes) => (covers(desc) ? attempt(() => wireToJson.field(field)(new WireReader(bytes))) : undefined),
  }
}

/** Whatever goes wrong, UTF-8 and base64 decoders included: the checked conversion says what it is. */
function attempt<T>(convert: () => T): T | undefined {
  try {
    return convert()
  } catch {
    return undefined
  }
}
