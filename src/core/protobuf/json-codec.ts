import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  type Registry,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import { Fault } from '../model/fault.ts'
import { buildJsonCheck } from './check-json.ts'
import { buildCompiledCodec } from './compiled/compiled-codec.ts'
import { jsonText } from './json-text.ts'
import { missingField } from './missing-field.ts'
import type { Json } from './strict-json.ts'

export interface JsonCodecOptions {
  readonly emitDefaults: boolean
  readonly enumsAsInts: boolean
  readonly protoNames: boolean
  readonly ignoreUnknownFields: boolean
}

/** ProtoJSON both ways for the types of one registry. */
export interface JsonCodec {
  /** A message from its JSON form. `json` is consumed. @throws Fault `body_invalid` */
  message(desc: DescMessage, json: Json): Message
  /** A message with one field set from that field's JSON form. `json` is consumed. @throws Fault `body_invalid` */
  withField(desc: DescMessage, field: DescField, json: Json): Message
  /** Wire bytes straight from the JSON form, which is left as it is; undefined: ask `message`, which covers all types and all errors. */
  encode(desc: DescMessage, json: Json): Uint8Array | undefined
  /** As `encode`, of a message with one field set. */
  encodeField(desc: DescMessage, field: DescField, json: Json): Uint8Array | undefined
  /** The JSON text of a serialized message. @throws Fault `upstream_protocol` when it is not one */
  toText(desc: DescMessage, bytes: Uint8Array): string
  /** The JSON text of one field of a serialized message; undefined when it is not set, or has the value that is left out. @throws Fault `upstream_protocol` */
  toFieldText(desc: DescMessage, field: DescField, bytes: Uint8Array): string | undefined
  /** The JSON form of a serialized message. @throws Fault `upstream_protocol` when it is not one */
  toJson(desc: DescMessage, bytes: Uint8Array): JsonValue
}

export function buildJsonCodec(registry: Registry, options: JsonCodecOptions): JsonCodec {
  const check = buildJsonCheck(registry, options.ignoreUnknownFields)
  const reading = { registry, ignoreUnknownFields: options.ignoreUnknownFields }
  const writing = { registry, alwaysEmitImplicit: options.emitDefaults, enumAsInteger: options.enumsAsInts, useProtoFieldName: options.protoNames }
  const compiled = buildCompiledCodec(registry, options)

  function checkedJson(desc: DescMessage, bytes: Uint8Array): JsonValue {
    try {
      return toJson(desc, fromBinary(desc, bytes), writing)
    } catch (cause) {
      throw new Fault('upstream_protocol', 'the upstream sent a message that cannot be read', { cause })
    }
  }

  return {
    encode: (desc, json) => compiled.encode(desc, json),
    encodeField: (desc, field, json) => compiled.encodeField(desc, field, json),
    toText: (desc, bytes) => compiled.text(desc, bytes) ?? jsonText(checkedJson(desc, bytes)),
    toFieldText(desc, field, bytes) {
      const text = compiled.fieldText(desc, field, bytes)
      if (text !== undefined) return text === '' ? undefined : text
      const json = checkedJson(desc, bytes)
      const name = options.protoNames ? field.name : field.jsonName
      // A message is an object, unless it has a form of its own; then nothing in it is a member.
      const value = typeof json === 'object' && json !== null && !Array.isArray(json) && Object.hasOwn(json, name) ? json[name] : undefined
      return value === undefined ? undefined : jsonText(value)
    },
    toJson: checkedJson,
    message(desc, json) {
      const checked = check.message(desc, json, '')
      return converting(() => fromJson(desc, checked as JsonValue, reading))
    },
    withField(desc, field, json) {
      const checked = check.field(field, json, field.jsonName)
      return converting(() => fromJson(desc, { [field.jsonName]: checked as JsonValue }, reading))
    },
  }
}

/** The wire form. @throws Fault `body_invalid` when a required field is missing (proto2, editions) */
export function serialize(desc: DescMessage, message: Message): Uint8Array {
  try {
    return toBinary(desc, message)
  } catch (cause) {
    const missing = missingField(desc, message)
    const reason = cause instanceof Error ? cause.message : 'the request does not fit its message'
    throw new Fault('body_invalid', missing === undefined ? reason : `${missing}: a required field is not set`, { cause })
  }
}

/** An empty message. */
export function emptyMessage(desc: DescMessage): Message {
  return create(desc)
}

function converting<T>(convert: () => T): T {
  try {
    return convert()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it does not fit the request'
    throw new Fault('body_invalid', `body: ${reason}`, { cause })
  }
}
