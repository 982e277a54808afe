import type { DescField, DescMessage, DescMethod } from '@bufbuild/protobuf'
import type { HttpBinding, Rpc } from '../model/route.ts'
import { resolvePath } from '../protobuf.ts'
import { type Comments, firstSentence, spacedOut } from './comments.ts'
import { fieldExample, messageExample } from './examples.ts'
import { type Json, type JsonObject, present } from './json.ts'
import { pathParameters, queryParameters, type Sources } from './parameters.ts'
import type { OpenapiPath } from './path.ts'
import { answerHeaders } from './responses.ts'
import type { Schemas } from './schemas.ts'
import type { Style } from './style.ts'

/** A rule of an RPC and all that says how it looks. */
export interface RpcRule {
  readonly rpc: Rpc
  readonly method: DescMethod
  readonly binding: HttpBinding
  readonly path: OpenapiPath
  readonly style: Style
  readonly schemas: Schemas
  readonly comments: Comments
  readonly limited: boolean
}

/** The parts of an operation that its RPC decides. */
export interface Described {
  readonly summary: string
  readonly description: string | undefined
  readonly deprecated: true | undefined
  readonly parameters: readonly JsonObject[]
  readonly requestBody: JsonObject | undefined
  readonly answer: JsonObject
  /** The body has to be of a certain media type. */
  readonly typed: boolean
}

/** Describes one HTTP rule as the gateway binds it. */
export function describeRpc(rule: RpcRule): Described {
  const { method, path, style, schemas, comments } = rule
  const sources = sourcesOf(rule)
  const text = comments(method)
  const body = bodyOf(rule, sources)
  return {
    summary: (text === undefined ? undefined : firstSentence(text)) ?? spacedOut(method.name),
    description: text,
    deprecated: method.proto.options?.deprecated === true ? true : undefined,
    parameters: [...pathParameters(path.parts, { input: method.input, style, schemas }), ...queryParameters(sources, style, schemas, comments)],
    requestBody: body,
    answer: answerOf(rule),
    typed: body !== undefined && !isRaw(bodyMessage(sources)),
  }
}

function sourcesOf({ method, binding, path }: RpcRule): Sources {
  const { input } = method
  const names = new Set(path.parts.flatMap(({ variable }) => (variable === undefined ? [] : [variable.name])))
  const variables = Array.from(names, (name) => resolvePath(input, name, false)).filter((found) => !('problem' in found)) as (readonly DescField[])[]
  const body = binding.body === '*' ? '*' : input.fields.find(({ name }) => name === binding.body)
  return { input, variables, body, mask: maskOf(body, variables) }
}

/** A member of the body that an update mask may name. */
function maskOf(body: Sources['body'], variables: Sources['variables']): string | undefined {
  const message = body === undefined || body === '*' || body.fieldKind !== 'message' ? undefined : body.message
  const bound = new Set(variables.flat())
  return message?.fields.find((field) => !bound.has(field) && /^[a-z][A-Za-z]*$/.test(field.jsonName))?.jsonName
}

function bodyMessage({ input, body }: Sources): DescMessage | undefined {
  return body === '*' ? input : body?.fieldKind === 'message' ? body.message : undefined
}

function isRaw(message: DescMessage | undefined): boolean {
  return message?.typeName === 'google.api.HttpBody'
}

const rawContent: JsonObject = { '*/*': { schema: { description: 'Any bytes, of any type.' }, example: 'example' } }

function bodyOf({ rpc, style, schemas }: RpcRule, sources: Sources): JsonObject | undefined {
  const { input, variables, body, mask } = sources
  if (body === undefined) return undefined
  if (isRaw(bodyMessage(sources))) return { required: true, content: rawContent }
  const leaving = { paths: variables, ...(mask === undefined ? {} : { mask }) }
  const example = body === '*' ? messageExample(input, style, leaving) : fieldExample(body, style, leaving)
  const depth = body === '*' ? 1 : 2
  const left = new Set(variables.flatMap((path) => (path.length === depth && (body === '*' || path[0] === body) ? [path[depth - 1] as DescField] : [])))
  const message = bodyMessage(sources)
  const schema =
    message === undefined || left.size === 0
      ? body === '*'
        ? schemas.message(input, style)
        : schemas.field(body, style)
      : schemas.without(message, left, style)
  return rpc.clientStream ? streamedBody(schema, example) : { required: true, content: { 'application/json': { schema, example } } }
}

function streamedBody(schema: JsonObject, example: Json): JsonObject {
  return {
    required: true,
    description: 'A stream of messages.',
    content: {
      'application/x-ndjson': { schema: lines(schema), example: `${JSON.stringify(example)}\n` },
      'application/json': { schema: { type: 'array', items: schema }, example: [example] },
    },
  }
}

/** OpenAPI 3.1 has no word for a sequence of values; what one line holds is said in an extension that validators leave alone. */
function lines(item: JsonObject): JsonObject {
  return { type: 'string', description: 'One JSON message per line.', 'x-item-schema': item }
}

function answerOf({ rpc, method, binding, style, schemas, limited }: RpcRule): JsonObject {
  const field = binding.responseBody === '' ? undefined : method.output.fields.find(({ name }) => name === binding.responseBody)
  const message = field === undefined ? method.output : field.fieldKind === 'message' ? field.message : undefined
  const headers = answerHeaders(limited)
  if (isRaw(message))
    return { description: 'Bytes, in the type that Content-Type says.', headers, content: { '*/*': { schema: { description: 'Any bytes, of any type.' } } } }
  const schema = field === undefined ? schemas.message(method.output, style) : schemas.field(field, style)
  if (!rpc.serverStream)
    return { description: `${binding.responseBody === '' ? method.output.name : binding.responseBody}.`, headers, content: { 'application/json': { schema } } }
  const events = { type: 'string', description: 'Server-sent events; the data of each is one JSON message.', 'x-item-schema': schema }
  return present({
    description: 'A stream of messages, written as Accept asks.',
    headers,
    content: {
      'application/x-ndjson': { schema: lines(schema) },
      'text/event-stream': { schema: events },
      'application/json': { schema: { type: 'array', items: schema } },
    },
  })
}
