import type { DescMessage } from '@bufbuild/protobuf'
import { tagOf, wireTypeOf } from './tags.ts'
import { type Take, takeScalar, zeroText } from './take-scalar.ts'
import { type Moment, momentText, spanText } from './times.ts'
import { deepest, giveUp } from './unfit.ts'
import type { WireReader } from './wire-reader.ts'

/** How the fields of a well-known type with a JSON form of its own are read, up to the end of the part. */
export function takeSpecial(desc: DescMessage): Take {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return (r) => `"${momentText(takeMoment(r)) ?? giveUp()}"`
    case 'google.protobuf.Duration':
      return (r) => `"${spanText(takeMoment(r)) ?? giveUp()}"`
    case 'google.protobuf.FieldMask':
      return takeMask
    case 'google.protobuf.Struct':
      return takeStruct
    case 'google.protobuf.ListValue':
      return takeList
    case 'google.protobuf.Value':
      return takeValue
    default:
      return takeWrapper(desc)
  }
}

function takeWrapper(desc: DescMessage): Take {
  const scalar = desc.fields[0]?.scalar ?? giveUp()
  const take = takeScalar(scalar)
  const tag = tagOf(1, wireTypeOf(scalar))
  const zero = zeroText(scalar)
  return (r) => {
    if (r.at === r.end) return zero
    if (r.uint32() !== tag) giveUp()
    return whole(r, take(r))
  }
}

function takeMoment(r: WireReader): Moment {
  let [seconds, nanos] = [0, 0]
  if (r.continues(0x08, 0x08)) {
    r.varint64()
    seconds = (r.high | 0) * 0x100000000 + r.low
  }
  if (r.continues(0x10, 0x10)) nanos = r.int32()
  return whole(r, { seconds, nanos })
}

function takeMask(r: WireReader): string {
  const paths: string[] = []
  while (r.continues(0x0a, 0x0a)) paths.push(camelCase(r.text()))
  return whole(r, JSON.stringify(paths.join(',')))
}

/** The JSON form of a path, only where it can be turned back (google/protobuf/field_mask.proto). */
function camelCase(path: string): string {
  if (/[A-Z]|_(?![a-z])/.test(path)) giveUp()
  return path.replace(/_[a-z]/g, (pair) => pair.slice(1).toUpperCase())
}

function takeStruct(r: WireReader): string {
  const members: string[] = []
  const names = new Set<string>()
  while (r.continues(0x0a, 0x0a)) {
    const outer = r.enter()
    if (!r.continues(0x0a, 0x0a)) giveUp()
    const name = r.quoted()
    if (names.has(name) || !r.continues(0x12, 0x12)) giveUp()
    names.add(name)
    members.push(`${name}:${part(r, takeValue)}`)
    r.leave(outer)
  }
  return whole(r, `{${members.join(',')}}`)
}

function takeList(r: WireReader): string {
  const items: string[] = []
  while (r.continues(0x0a, 0x0a)) items.push(part(r, takeValue))
  return whole(r, `[${items.join(',')}]`)
}

/** google.protobuf.Value: null 1, number 2, string 3, bool 4, struct 5, list 6; exactly one of them. */
function takeValue(r: WireReader): string {
  switch (r.uint32()) {
    case 0x08:
      r.int32()
      return whole(r, 'null')
    case 0x11:
      return whole(r, finiteText(r.double()))
    case 0x1a:
      return whole(r, r.quoted())
    case 0x20:
      return whole(r, r.bool() ? 'true' : 'false')
    case 0x2a:
      return whole(r, part(r, takeStruct))
    case 0x32:
      return whole(r, part(r, takeList))
    default:
      return giveUp()
  }
}

function finiteText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  return Number.isFinite(value) ? String(value) : giveUp()
}

/** One message inside another. */
export function part(r: WireReader, take: Take): string {
  if (++r.depth > deepest) giveUp()
  const outer = r.enter()
  const text = take(r)
  r.leave(outer)
  r.depth--
  return text
}

/** Nothing may follow: not a field twice, not one out of order, not an unknown one. */
function whole<T>(r: WireReader, value: T): T {
  return r.at === r.end ? value : giveUp()
}
