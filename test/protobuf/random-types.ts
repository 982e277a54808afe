import { create, createFileRegistry, type FileRegistry } from '@bufbuild/protobuf'
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  Edition,
  FeatureSet_MessageEncoding as Encoding,
  EnumDescriptorProtoSchema,
  FeatureSet_EnumType as EnumType,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FileOptionsSchema,
  FieldDescriptorProto_Label as Label,
  MessageOptionsSchema,
  OneofDescriptorProtoSchema,
  FeatureSet_FieldPresence as Presence,
  FeatureSet_RepeatedFieldEncoding as Repeated,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import { builtinRegistry } from '../../src/core/protobuf.ts'
import type { Dice } from './dice.ts'

type Syntax = 'proto2' | 'proto3' | 'editions'

export interface RandomTypes {
  readonly registry: FileRegistry
  /** Full names of the messages. */
  readonly names: readonly string[]
  /** No type of the file has anything that is left to the library: Any, groups, required fields. */
  readonly plain: boolean
}

const scalars = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 18] as readonly Type[]
const keys = [Type.STRING, Type.INT32, Type.UINT64, Type.SINT64, Type.BOOL, Type.FIXED32, Type.SFIXED64] as const
const wellKnown =
  'Timestamp Duration FieldMask Struct Value ListValue Empty Any DoubleValue FloatValue Int64Value UInt64Value Int32Value UInt32Value BoolValue StringValue BytesValue'.split(
    ' ',
  )
const imports = ['timestamp', 'duration', 'field_mask', 'struct', 'empty', 'any', 'wrappers'].map((name) => `google/protobuf/${name}.proto`)

/** A random file of proto2, proto3 or editions 2023, with a few messages that may hold each other and themselves. */
export function randomTypes(dice: Dice): RandomTypes {
  const syntax: Syntax = dice.pick(['proto2', 'proto3', 'editions'])
  const file = {
    syntax,
    odd: dice.chance(0.25),
    isOdd: false,
    messages: dice.between(1, 4),
    open: syntax === 'proto3' || (syntax === 'editions' && dice.chance(0.5)),
  }
  const messages = Array.from({ length: file.messages }, (_, i) => randomMessage(dice, file, `M${i}`))
  const proto = create(FileDescriptorProtoSchema, {
    name: 'random.proto',
    package: 'r',
    syntax,
    dependency: imports,
    messageType: messages,
    enumType: [randomEnum(dice, file)],
    ...(syntax === 'editions' ? { edition: Edition.EDITION_2023, options: features(dice, file.open) } : {}),
  })
  const builtin = imports.map((name) => builtinRegistry.getFile(name)?.proto).filter((imported) => imported !== undefined)
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...builtin, proto] }))
  return { registry, names: messages.map(({ name }) => `r.${name}`), plain: !file.isOdd }
}

interface FileDraft {
  readonly syntax: Syntax
  /** May have what the compiled codec does not cover. */
  readonly odd: boolean
  isOdd: boolean
  readonly messages: number
  readonly open: boolean
}

function features(dice: Dice, open: boolean): ReturnType<typeof create<typeof FileOptionsSchema>> {
  return create(FileOptionsSchema, {
    features: {
      // A closed enum cannot have implicit presence.
      fieldPresence: open && dice.chance(0.5) ? Presence.IMPLICIT : Presence.EXPLICIT,
      enumType: open ? EnumType.OPEN : EnumType.CLOSED,
      repeatedFieldEncoding: dice.pick([Repeated.PACKED, Repeated.EXPANDED]),
    },
  })
}

function randomEnum(dice: Dice, file: FileDraft): ReturnType<typeof create<typeof EnumDescriptorProtoSchema>> {
  const first = file.open ? 0 : dice.pick([0, 1, -3])
  const numbers = new Set([first, 1, 5, -7, 2147483647])
  return create(EnumDescriptorProtoSchema, { name: 'E', value: [...numbers].map((number, i) => ({ name: `E_${i}`, number })) })
}

function randomMessage(dice: Dice, file: FileDraft, name: string): DescriptorProto {
  const message = create(DescriptorProtoSchema, { name })
  const oneofs = dice.chance(0.4) ? dice.between(1, 2) : 0
  for (let i = 0; i < oneofs; i++) message.oneofDecl.push(create(OneofDescriptorProtoSchema, { name: `one_${i}` }))
  let number = 0
  const count = dice.between(0, 9)
  for (let i = 0; i < count; i++) {
    number += dice.pick([1, 1, 1, 2, 20, 3000])
    const field = create(FieldDescriptorProtoSchema, { name: dice.pick([`field_${i}`, `Odd${i}`, `x_${i}_y`]), number, label: Label.OPTIONAL })
    field.jsonName = dice.chance(0.1) ? `json "${i}` : `f${i}`
    shape(dice, file, message, field, oneofs)
    message.field.push(field)
  }
  // A oneof has a member at least, and those of optional fields come last (descriptor.proto, proto3_optional).
  for (let i = 0; i < oneofs; i++) {
    if (message.field.some((field) => field.oneofIndex === i && !field.proto3Optional)) continue
    number++
    message.field.push(
      create(FieldDescriptorProtoSchema, { name: `m_${i}`, jsonName: `m${i}`, number, label: Label.OPTIONAL, type: Type.STRING, oneofIndex: i }),
    )
  }
  for (const field of message.field) {
    if (!field.proto3Optional) continue
    field.oneofIndex = message.oneofDecl.length
    message.oneofDecl.push(create(OneofDescriptorProtoSchema, { name: `_${field.name}` }))
  }
  return message
}

function shape(dice: Dice, file: FileDraft, message: DescriptorProto, field: FieldDescriptorProto, oneofs: number): void {
  type(dice, file, field)
  const kind = dice.below(10)
  if (kind < 3) {
    field.label = Label.REPEATED
    const packable = field.typeName === '' ? field.type !== Type.STRING && field.type !== Type.BYTES : field.type === Type.ENUM
    if (packable && file.syntax !== 'editions' && dice.chance(0.4)) field.options = create(FieldOptionsSchema, { packed: dice.chance(0.5) })
  } else if (kind < 5 && field.type !== Type.GROUP) map(dice, message, field)
  else if (kind < 7 && oneofs > 0) field.oneofIndex = dice.below(oneofs)
  else if (kind === 7 && file.syntax === 'proto3') field.proto3Optional = true
  else if (kind === 8 && file.odd && file.syntax === 'proto2' && field.typeName === '') {
    file.isOdd = true
    field.label = Label.REQUIRED
  } else if (file.odd && file.syntax === 'editions' && field.type === Type.MESSAGE) {
    file.isOdd = true
    field.options = create(FieldOptionsSchema, { features: { messageEncoding: Encoding.DELIMITED } })
  }
}

function type(dice: Dice, file: FileDraft, field: FieldDescriptorProto): void {
  const kind = dice.below(10)
  if (kind < 5) field.type = dice.pick(scalars)
  else if (kind === 5) {
    field.type = Type.ENUM
    field.typeName = '.r.E'
  } else {
    field.type = Type.MESSAGE
    const name = dice.pick(wellKnown)
    const own = kind < 8 || (name === 'Any' && !file.odd)
    field.typeName = own ? `.r.M${dice.below(file.messages)}` : `.google.protobuf.${name}`
    if (!own && name === 'Any') file.isOdd = true
    if (own && file.odd && file.syntax === 'proto2' && dice.chance(0.2)) {
      file.isOdd = true
      field.type = Type.GROUP
    }
  }
}

function map(dice: Dice, message: DescriptorProto, field: FieldDescriptorProto): void {
  // protoc's name for it does not matter here; only that it is nested and marked.
  const name = `Entry${field.number}`
  const value = create(FieldDescriptorProtoSchema, {
    name: 'value',
    jsonName: 'value',
    number: 2,
    label: Label.OPTIONAL,
    type: field.type ?? Type.STRING,
    typeName: field.typeName,
  })
  const key = create(FieldDescriptorProtoSchema, { name: 'key', jsonName: 'key', number: 1, label: Label.OPTIONAL, type: dice.pick(keys) })
  message.nestedType.push(create(DescriptorProtoSchema, { name, field: [key, value], options: create(MessageOptionsSchema, { mapEntry: true }) }))
  field.label = Label.REPEATED
  field.type = Type.MESSAGE
  field.typeName = `.r.${message.name}.${name}`
}
