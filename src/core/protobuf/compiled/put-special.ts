import type { DescMessage } from '@bufbuild/protobuf'
import { durationProblem, timestampProblem } from '../lexical.ts'
import { isMembers, type Json, type JsonMembers, longNumberText } from '../strict-json.ts'
import { putScalar } from './put-scalar.ts'
import { tagOf, wireTypeOf } from './tags.ts'
import { type Moment, momentOf, spanOf } from './times.ts'
import { deepest, giveUp } from './unfit.ts'
import type { WireWriter } from './wire-writer.ts'

/** Writes the fields of one message from its JSON form. */
export type PutMessage = (w: WireWriter, json: Json) => void

/** How a well-known type with a JSON form of its own is written. */
export function putSpecial(desc: DescMessage): PutMessage {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return (w, json) => putMoment(w, typeof json === 'string' && timestampProblem(json) === undefined ? momentOf(json) : undefined)
    case 'google.protobuf.Duration':
      return (w, json) => putMoment(w, typeof json === 'string' && durationProblem(json) === undefined ? spanOf(json) : undefined)
    case 'google.protobuf.FieldMask':
      return putMask
    case 'google.protobuf.Struct':
      return (w, json) => (isMembers(json) ? putStruct(w, json) : giveUp())
    case 'google.protobuf.ListValue':
      return (w, json) => (Array.isArray(json) ? putList(w, json) : giveUp())
    case 'google.protobuf.Value':
      return putValue
    default:
      return putWrapper(desc)
  }
}

function putWrapper(desc: DescMessage): PutMessage {
  const scalar = desc.fields[0]?.scalar ?? giveUp()
  const put = putScalar(scalar)
  const tag = tagOf(1, wireTypeOf(scalar))
  return (w, json) => put(w, tag, json, true)
}

function putMoment(w: WireWriter, moment: Moment | undefined): void {
  const { seconds, nanos } = moment ?? giveUp()
  if (seconds !== 0) {
    w.uint32(0x08)
    w.varint64(seconds % 0x100000000, Math.floor(seconds / 0x100000000))
  }
  if (nanos !== 0) {
    w.uint32(0x10)
    w.int32(nanos)
  }
}

const putMask: PutMessage = (w, json) => {
  if (typeof json !== 'string' || json.includes('_')) giveUp()
  if (json === '') return
  for (const path of json.split(',')) {
    w.uint32(0x0a)
    w.text(path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
  }
}

function putStruct(w: WireWriter, json: JsonMembers): void {
  for (const name of Object.keys(json)) {
    w.uint32(0x0a)
    const entry = w.open()
    w.uint32(0x0a)
    w.text(name)
    w.uint32(0x12)
    const value = w.open()
    putValue(w, json[name] as Json)
    w.close(value)
    w.close(entry)
  }
}

function putList(w: WireWriter, json: readonly Json[]): void {
  for (const item of json) {
    w.uint32(0x0a)
    const value = w.open()
    putValue(w, item)
    w.close(value)
  }
}

/** google.protobuf.Value: null 1, number 2, string 3, bool 4, struct 5, list 6. */
const putValue: PutMessage = (w, json) => {
  if (json === null) {
    w.uint32(0x08)
    w.uint32(0)
  } else if (typeof json === 'string') {
    w.uint32(0x1a)
    w.text(json)
  } else if (typeof json === 'boolean') {
    w.uint32(0x20)
    w.bool(json)
  } else if (typeof json === 'number') putNumber(w, json)
  else putNested(w, json)
}

function putNumber(w: WireWriter, value: number): void {
  if (!Number.isFinite(value)) giveUp()
  w.uint32(0x11)
  w.double(value)
}

function putNested(w: WireWriter, json: Exclude<Json, null | boolean | number | string>): void {
  if (++w.depth > deepest) giveUp()
  if (Array.isArray(json)) {
    w.uint32(0x32)
    const part = w.open()
    putList(w, json)
    w.close(part)
  } else if (isMembers(json)) {
    w.uint32(0x2a)
    const part = w.open()
    putStruct(w, json)
    w.close(part)
  } else putNumber(w, Number(longNumberText(json)))
  w.depth--
}
