import { create, type DescField, type DescMessage, type Message, ScalarType, toBinary } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { isDemanded, readDescriptors } from '../../src/core/protobuf.ts'

/**
 * Answers for a recorder, as bytes of a type: at odd times with every field set to something else than its default (one member of each oneof, no type within
 * itself), at even times with nothing but what it requires.
 */
export function fullAnswers(descriptors: Uint8Array): (output: string) => Uint8Array {
  const book = readDescriptors(descriptors)
  if ('problem' in book) throw new Error(book.problem)
  const times = new Map<string, number>()
  return (output) => {
    const desc = book.registry.getMessage(output)
    if (desc === undefined) throw new Error(`no ${output}`)
    const time = (times.get(output) ?? 0) + 1
    times.set(output, time)
    return toBinary(desc, filled(desc, [], time % 2 === 0))
  }
}

function filled(desc: DescMessage, stack: readonly DescMessage[], onlyNeeded: boolean): Message {
  const message = create(desc)
  const target = reflect(desc, message)
  if (desc.typeName === 'google.protobuf.Any') Object.assign(message, { typeUrl: 'type.googleapis.com/google.protobuf.Empty' })
  else for (const field of desc.fields) if (isDemanded(field) || !onlyNeeded) fill(target, field, [...stack, desc], onlyNeeded)
  return message
}

function fill(target: ReflectMessage, field: DescField, stack: readonly DescMessage[], onlyNeeded: boolean): void {
  if (field.oneof !== undefined && target.oneofCase(field.oneof) !== undefined) return
  const { message } = field
  if (message !== undefined && !isDemanded(field) && stack.includes(message)) return
  if (field.fieldKind === 'list') target.get(field).add(value(field, stack, onlyNeeded))
  else if (field.fieldKind === 'map') target.get(field).set(scalarValue(field.mapKey), value(field, stack, onlyNeeded))
  else target.set(field, value(field, stack, onlyNeeded))
}

function value({ scalar, enum: named, message }: DescField, stack: readonly DescMessage[], onlyNeeded: boolean): unknown {
  if (message !== undefined) return reflect(message, filled(message, stack, onlyNeeded))
  if (named !== undefined) return named.values.at(-1)?.number
  return scalarValue(scalar ?? ScalarType.STRING)
}

const wide: ReadonlySet<ScalarType> = new Set([ScalarType.INT64, ScalarType.SINT64, ScalarType.SFIXED64, ScalarType.UINT64, ScalarType.FIXED64])

function scalarValue(scalar: ScalarType): string | number | bigint | boolean | Uint8Array {
  if (scalar === ScalarType.BYTES) return new Uint8Array([1, 2])
  if (scalar === ScalarType.STRING) return 'some'
  if (scalar === ScalarType.BOOL) return true
  if (scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT) return Number.NaN
  return wide.has(scalar) ? 9n : 9
}
