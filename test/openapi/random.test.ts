import { create, toBinary } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorSetSchema, MethodDescriptorProtoSchema, ServiceDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import type { HttpBinding } from '../../src/core/model/rpc.ts'
import { buildOpenapi, type Json } from '../../src/core/openapi.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { buildRouteCodecs, parseJson, readDescriptors, rpcsOf, serialize } from '../../src/core/protobuf.ts'
import { diceOf } from '../protobuf/dice.ts'
import { randomTypes } from '../protobuf/random-types.ts'
import { schemaProblems } from '../support/json-schema.ts'
import { testPolicy, testRoute } from '../support/routes.ts'
import { operationsIn, problemsOf, shownIn } from './validate.ts'

const service = 'r.S'

/** A policy with one route to a service that takes and gives each of the random messages, by query and by body. */
function randomPolicy(seed: number): Policy {
  const dice = diceOf(seed)
  const { registry, names } = randomTypes(dice)
  const files = Array.from(registry.files, (file): FileDescriptorProto => file.proto)
  for (const file of files) {
    if (file.package !== 'r') continue
    const methods = names.map((name, i) =>
      create(MethodDescriptorProtoSchema, {
        name: `Call${i}`,
        inputType: `.${name}`,
        outputType: `.${name}`,
        clientStreaming: dice.chance(0.2),
        serverStreaming: dice.chance(0.2),
      }),
    )
    file.service.push(create(ServiceDescriptorProtoSchema, { name: 'S', method: methods }))
  }
  const bytes = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: files }))
  const book = readDescriptors(bytes)
  if ('problem' in book) throw new Error(book.problem)
  const rpcs = (rpcsOf(book, service)?.rpcs ?? []).map((rpc, i) => {
    const asked: HttpBinding = { method: 'GET', template: `/asked/${i}`, body: '', responseBody: '' }
    return Object.assign(structuredClone(rpc), { bindings: [asked, ...rpc.bindings] })
  })
  const translate = {
    unknownQuery: 'reject' as const,
    emitDefaults: false,
    enumsAsInts: dice.chance(0.3),
    protoNames: dice.chance(0.3),
    ignoreUnknownFields: false,
  }
  const match = { grpc: { service, rpcs, descriptors: 'r.binpb' } }
  return testPolicy({ routes: [testRoute('r', match, { translate })], descriptors: { 'r.binpb': bytes } })
}

const seeds = Array.from({ length: 40 }, (_, i) => 7_000 + i)

describe('documents of random types', () => {
  it('are OpenAPI 3.1, the same each time', { timeout: 60_000 }, async () => {
    for (const seed of seeds) {
      const { document, omitted } = buildOpenapi(randomPolicy(seed))
      expect(await problemsOf(document), `seed ${seed}`).toEqual([])
      expect(omitted).toEqual([])
      expect(JSON.stringify(buildOpenapi(randomPolicy(seed)).document)).toBe(JSON.stringify(document))
    }
  })

  it('have bodies as examples that the codec of their route takes', { timeout: 60_000 }, () => {
    let bodies = 0
    for (const seed of seeds) {
      const policy = randomPolicy(seed)
      const types = buildRouteCodecs(policy).get('r')
      for (const { path, operation } of operationsIn(buildOpenapi(policy).document)) {
        const content = operation.requestBody?.content['application/json']
        const rpc = policy.routes[0]?.match.grpc?.rpcs.find((one) => one.path === path)
        const input = types?.registry.getMessage(rpc?.input ?? '')
        if (content === undefined || types === undefined || rpc === undefined || input === undefined) continue
        const example = (rpc.clientStream ? (content.example as readonly Json[])[0] : content.example) as Json
        const text = new TextEncoder().encode(JSON.stringify(example))
        expect(() => serialize(input, types.codec.message(input, parseJson(text))), `seed ${seed}, ${path}: ${JSON.stringify(example)}`).not.toThrow()
        bodies++
      }
    }
    expect(bodies).toBeGreaterThan(seeds.length)
  })

  it('have examples that fit the schemas beside them, in bodies and answers', { timeout: 60_000 }, () => {
    let checked = 0
    for (const seed of seeds) {
      const { document } = buildOpenapi(randomPolicy(seed))
      for (const { method, path, operation } of operationsIn(document)) {
        for (const { schema, example } of shownIn(operation)) {
          expect(schemaProblems(document, schema, example), `seed ${seed}, ${method} ${path}`).toEqual([])
          checked++
        }
      }
    }
    expect(checked).toBeGreaterThan(seeds.length * 3)
  })
})
