import { create, createFileRegistry, type DescMessage, type Registry } from '@bufbuild/protobuf'
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Label as Label,
  MessageOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'

/** A value that `JSON.parse` may answer. */
export interface Members {
  [name: string]: Plain
}
export type Plain = string | number | boolean | Plain[] | Members

export interface BenchMessage {
  readonly name: string
  readonly desc: DescMessage
  readonly json: Members
}

/** The three messages of the table, and the registry they belong to. Their types are made here, as a gateway has them: without generated code. */
export function messagesOf(): { readonly registry: Registry; readonly messages: readonly BenchMessage[] } {
  const file = create(FileDescriptorProtoSchema, {
    name: 'bench.proto',
    package: 'bench',
    syntax: 'proto3',
    dependency: ['google/protobuf/timestamp.proto', 'google/protobuf/duration.proto'],
    enumType: [{ name: 'State', value: ['STATE_UNSPECIFIED', 'STATE_OPEN', 'STATE_SHIPPED'].map((name, number) => ({ name, number })) }],
    messageType: [small(), medium(), list()],
  })
  const registry = createFileRegistry(
    create(FileDescriptorSetSchema, { file: [file_google_protobuf_timestamp.proto, file_google_protobuf_duration.proto, file] }),
  )
  const messages = [
    { name: 'small', json: smallJson(1) },
    { name: 'medium', json: mediumJson(1) },
    { name: 'list', json: { items: Array.from({ length: 100 }, (_, i) => mediumJson(i)), nextPageToken: 'b2Zmc2V0PTEwMA' } },
  ].map(({ name, json }) => {
    const desc = registry.getMessage(`bench.${name}`)
    if (desc === undefined) throw new Error(`no bench.${name}`)
    return { name, desc, json }
  })
  return { registry, messages }
}

interface Field {
  readonly name: string
  readonly type?: Type
  readonly typeName?: string
  readonly list?: true
}

function message(name: string, fields: readonly Field[], nestedType: DescriptorProto[] = []): DescriptorProto {
  return create(DescriptorProtoSchema, {
    name,
    nestedType,
    field: fields.map((field, i) => ({
      name: field.name,
      jsonName: field.name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      number: i + 1,
      label: field.list === true ? Label.REPEATED : Label.OPTIONAL,
      type: field.type ?? Type.MESSAGE,
      typeName: field.typeName ?? '',
    })),
  })
}

function small(): DescriptorProto {
  return message('small', [
    { name: 'id', type: Type.STRING },
    { name: 'customer', type: Type.STRING },
    { name: 'amount', type: Type.INT64 },
    { name: 'quantity', type: Type.INT32 },
    { name: 'gift', type: Type.BOOL },
    { name: 'state', type: Type.ENUM, typeName: '.bench.State' },
    { name: 'note', type: Type.STRING },
  ])
}

function medium(): DescriptorProto {
  const entry = message('LabelsEntry', [
    { name: 'key', type: Type.STRING },
    { name: 'value', type: Type.STRING },
  ])
  entry.options = create(MessageOptionsSchema, { mapEntry: true })
  return message(
    'medium',
    [
      { name: 'order', typeName: '.bench.small' },
      { name: 'created_at', typeName: '.google.protobuf.Timestamp' },
      { name: 'updated_at', typeName: '.google.protobuf.Timestamp' },
      { name: 'ttl', typeName: '.google.protobuf.Duration' },
      { name: 'labels', typeName: '.bench.medium.LabelsEntry', list: true },
      { name: 'tags', type: Type.STRING, list: true },
      { name: 'weights', type: Type.DOUBLE, list: true },
      { name: 'lines', typeName: '.bench.small', list: true },
      { name: 'digest', type: Type.BYTES },
    ],
    [entry],
  )
}

function list(): DescriptorProto {
  return message('list', [
    { name: 'items', typeName: '.bench.medium', list: true },
    { name: 'next_page_token', type: Type.STRING },
  ])
}

function smallJson(i: number): Members {
  return {
    id: `orders/2026-${10000 + i}`,
    customer: `customers/${77000 + i}`,
    amount: `${129900 + i}`,
    quantity: 3 + i,
    gift: true,
    state: 'STATE_SHIPPED',
    note: 'Leave it with the neighbours, please. Übergabe an Frau Müller',
  }
}

function mediumJson(i: number): Members {
  return {
    order: smallJson(i),
    createdAt: '2026-03-14T09:26:53.589Z',
    updatedAt: '2026-03-15T10:00:00Z',
    ttl: '86400.500s',
    labels: { region: 'eu-central-1', team: 'fulfilment', tier: 'gold' },
    tags: ['fragile', 'express', 'insured'],
    weights: [1.25, 0.5, 12.75],
    lines: [smallJson(i + 1), smallJson(i + 2)],
    digest: 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=',
  }
}
