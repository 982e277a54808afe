import { create, createFileRegistry, type DescMessage, toBinary } from '@bufbuild/protobuf'
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  Edition,
  FeatureSetSchema,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  MessageOptionsSchema,
  MethodDescriptorProtoSchema,
  OneofDescriptorProtoSchema,
  FeatureSet_FieldPresence as Presence,
  ServiceDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import * as fc from 'fast-check'
import type { HttpBinding } from '../../src/core/model/rpc.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { bindingProblem, builtinRegistry, isTextual, readDescriptors, rpcsOf } from '../../src/core/protobuf.ts'
import { testPolicy, testRoute } from '../support/routes.ts'

export const service = 'd.S'

const imports = ['timestamp', 'struct', 'empty', 'any', 'wrappers', 'field_mask'].map((name) => `google/protobuf/${name}.proto`)
const known = ['Timestamp', 'Struct', 'Empty', 'Any', 'StringValue', 'FieldMask', 'Value']

interface FieldPlan {
  /** Below 0: a scalar; else a message of the file or a known one. */
  readonly type: number
  readonly label: 'required' | 'optional' | 'repeated' | 'map' | 'oneof'
}

interface RulePlan {
  readonly root: number
  readonly steps: readonly (readonly number[])[]
  readonly body: number
  readonly patch: boolean
}

const scalars = [Type.STRING, Type.INT32, Type.INT64, Type.BOOL, Type.BYTES, Type.DOUBLE] as const

const field: fc.Arbitrary<FieldPlan> = fc.record({
  type: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: -scalars.length, max: -1 }) },
    { weight: 4, arbitrary: fc.nat(4) },
    fc.integer({ min: 5, max: 4 + known.length }),
  ),
  label: fc.oneof(
    { weight: 4, arbitrary: fc.constant('required' as const) },
    { weight: 5, arbitrary: fc.constant('optional' as const) },
    fc.constantFrom('repeated' as const, 'map' as const, 'oneof' as const),
  ),
})

const rule: fc.Arbitrary<RulePlan> = fc.record({
  root: fc.nat(4),
  steps: fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 5 }), { maxLength: 2 }),
  body: fc.integer({ min: -2, max: 5 }),
  patch: fc.boolean(),
})

/** Messages of proto2 or editions 2023 that require others, and rules with variables deep within them. */
export interface DemandPlan {
  readonly editions: boolean
  readonly messages: readonly (readonly FieldPlan[])[]
  readonly rules: readonly RulePlan[]
  readonly queryMaps: boolean
  readonly protoNames: boolean
}

export const demandPlan: fc.Arbitrary<DemandPlan> = fc.record({
  editions: fc.boolean(),
  messages: fc.array(fc.array(field, { minLength: 1, maxLength: 5 }), { minLength: 5, maxLength: 5 }),
  rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
  queryMaps: fc.boolean(),
  protoNames: fc.boolean(),
})

/** A policy with one route to a service of them. */
export function demandingPolicy({ editions, messages, rules, queryMaps, protoNames }: DemandPlan): Policy {
  const file = fileOf(editions, messages, rules)
  const builtin = imports.map((name) => builtinRegistry.getFile(name)?.proto).filter((each) => each !== undefined)
  const set = create(FileDescriptorSetSchema, { file: [...builtin, file] })
  const registry = createFileRegistry(set)
  const bytes = toBinary(FileDescriptorSetSchema, set)
  const book = readDescriptors(bytes)
  if ('problem' in book) throw new Error(book.problem)
  const rpcs = (rpcsOf(book, service)?.rpcs ?? []).map((rpc, i) => {
    const plan = rules[i]
    const input = registry.getMessage(rpc.input)
    const own = plan === undefined || input === undefined ? undefined : bindingOf(plan, input, i)
    const works = own !== undefined && bindingProblem(book, service, rpc.method, own) === undefined
    return { ...rpc, bindings: works ? [own, ...rpc.bindings] : rpc.bindings }
  })
  const translate = { unknownQuery: 'reject' as const, emitDefaults: false, enumsAsInts: false, protoNames, ignoreUnknownFields: false, queryMaps }
  return testPolicy({
    routes: [testRoute('r', { grpc: { service, rpcs, descriptors: 'd.binpb' } }, { translate })],
    descriptors: { 'd.binpb': bytes },
  })
}

function fileOf(editions: boolean, messages: readonly (readonly FieldPlan[])[], rules: readonly RulePlan[]): FileDescriptorProto {
  const method = rules.map(({ root }, i) => create(MethodDescriptorProtoSchema, { name: `Call${i}`, inputType: `.d.M${root}`, outputType: '.d.M0' }))
  return create(FileDescriptorProtoSchema, {
    name: 'demands.proto',
    package: 'd',
    syntax: editions ? 'editions' : 'proto2',
    ...(editions ? { edition: Edition.EDITION_2023 } : {}),
    dependency: imports,
    messageType: messages.map((fields, i) => messageOf(`M${i}`, fields, editions)),
    service: [create(ServiceDescriptorProtoSchema, { name: 'S', method })],
  })
}

function messageOf(name: string, fields: readonly FieldPlan[], editions: boolean): DescriptorProto {
  const message = create(DescriptorProtoSchema, { name })
  if (fields.some(({ label }) => label === 'oneof')) message.oneofDecl.push(create(OneofDescriptorProtoSchema, { name: 'one' }))
  for (const [i, { type, label }] of fields.entries()) {
    const made = create(FieldDescriptorProtoSchema, { name: `f_${i}`, jsonName: `f${i}`, number: i + 1, label: Label.OPTIONAL, ...typeOf(type) })
    if (label === 'repeated') made.label = Label.REPEATED
    if (label === 'oneof') made.oneofIndex = 0
    if (label === 'required' && !editions) made.label = Label.REQUIRED
    if (label === 'required' && editions)
      made.options = create(FieldOptionsSchema, { features: create(FeatureSetSchema, { fieldPresence: Presence.LEGACY_REQUIRED }) })
    if (label === 'map') {
      const entry = [
        create(FieldDescriptorProtoSchema, { name: 'key', jsonName: 'key', number: 1, label: Label.OPTIONAL, type: Type.STRING }),
        create(FieldDescriptorProtoSchema, { name: 'value', jsonName: 'value', number: 2, label: Label.OPTIONAL, ...typeOf(type) }),
      ]
      message.nestedType.push(create(DescriptorProtoSchema, { name: `F${i}Entry`, field: entry, options: create(MessageOptionsSchema, { mapEntry: true }) }))
      made.label = Label.REPEATED
      made.type = Type.MESSAGE
      made.typeName = `.d.${name}.F${i}Entry`
    }
    message.field.push(made)
  }
  return message
}

function typeOf(type: number): { readonly type: Type; readonly typeName?: string } {
  if (type < 0) return { type: scalars[-1 - type] ?? Type.STRING }
  return { type: Type.MESSAGE, typeName: type < 5 ? `.d.M${type}` : `.google.protobuf.${known[type - 5] ?? 'Empty'}` }
}

/** Each variable goes through the messages that its steps choose, to the first text. */
function bindingOf({ steps, body, patch }: RulePlan, input: DescMessage, i: number): HttpBinding {
  const paths = new Set(steps.map((each) => variableOf(input, each)).filter((path) => path !== undefined))
  const template = `/call/${i}${Array.from(paths, (path) => `/{${path}}`).join('')}`
  const named = input.fields[body]?.name
  if (body === -1 || (body >= 0 && named === undefined)) return { method: 'POST', template, body: '*', responseBody: '' }
  return { method: body < 0 ? 'GET' : patch ? 'PATCH' : 'POST', template, body: named ?? '', responseBody: '' }
}

function variableOf(input: DescMessage, steps: readonly number[]): string | undefined {
  const names: string[] = []
  let at = input
  for (const step of steps) {
    const singular = at.fields.filter((one) => one.fieldKind === 'message' && one.message.typeName.startsWith('d.'))
    const next = singular[step % Math.max(1, singular.length)]
    if (next?.fieldKind !== 'message') break
    names.push(next.name)
    at = next.message
  }
  const leaf = at.fields.find((one) => isTextual(one))
  return leaf === undefined ? undefined : [...names, leaf.name].join('.')
}
