import type { DescField, DescMessage, DescMethod } from '@bufbuild/protobuf'
import type { HttpBinding, Rpc } from '../model/rpc.ts'
import type { TranslateOptions } from '../model/translate-options.ts'
import { demandsOf, etagField, isMakeable, resolvePath } from '../protobuf.ts'
import { type Comments, firstSentence, spacedOut } from './comments.ts'
import { fieldExample, type Leaving, messageExample } from './examples.ts'
import { type Json, type JsonObject, present } from './json.ts'
import { headerParameters, pathParameters, queryParameters, type Sources } from './parameters.ts'
import type { OpenapiPath } from './path.ts'
import { answerHeaders } from './responses.ts'
import type { Schemas } from './schemas.ts'
import type { Style } from './style.ts'

/** A rule of an RPC and all that says how it looks. */
export interface RpcRule {
  readonly rpc: Rpc
  readonly method: DescMethod
  readonly binding: HttpBinding
  /** Upper-case: the binding's own, or one that stands for it. */
  readonly as: string
  readonly path: OpenapiPath
  readonly options: TranslateOptions
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
  /** Answers that are no failure, by status, and what preconditions lead to. */
  readonly answers: JsonObject
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
    description: descriptionOf(text, unsayableOf(rule)),
    deprecated: method.proto.options?.deprecated === true ? true : undefined,
    parameters: [
      ...pathParameters(path.parts, { input: method.input, style, schemas }),
      ...queryParameters(sources, style, schemas, comments),
      ...headerParameters(rule.options),
      ...conditions(rule, sources),
    ],
    requestBody: body,
    answers: answersOf(rule, sources),
    typed: body !== undefined && !isRaw(bodyMessage(sources)),
  }
}

/** Why no request of a rule can succeed, for each field that its message requires and no part of a request can say. */
export function unsayableOf(rule: Pick<RpcRule, 'method' | 'binding' | 'path' | 'options'>): readonly string[] {
  return demandsOf(sourcesOf(rule)).unsayable.map(({ path, why }) => `\`${path.map(({ name }) => name).join('.')}\` is required and cannot be given: ${why}.`)
}

function descriptionOf(text: string | undefined, impossible: readonly string[]): string | undefined {
  if (impossible.length === 0) return text
  return [text, ['No request to it succeeds.', ...impossible].join(' ')].filter((one) => one !== undefined).join('\n\n')
}

function sourcesOf({ method, binding, path, options }: Pick<RpcRule, 'method' | 'binding' | 'path' | 'options'>): Sources {
  const { input } = method
  const names = new Set(path.parts.flatMap(({ variable }) => (variable === undefined ? [] : [variable.name])))
  const variables = Array.from(names, (name) => resolvePath(input, name, false)).filter((found) => !('problem' in found)) as (readonly DescField[])[]
  const body = binding.body === '*' ? '*' : input.fields.find(({ name }) => name === binding.body)
  return { input, variables, body, mask: maskOf(body, variables), maps: options.queryMaps === true }
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
  const left = body === '*' ? variables : variables.flatMap((path) => (path[0] === body && path.length > 1 ? [path.slice(1)] : []))
  const message = bodyMessage(sources)
  const isNever = body !== '*' && left.length === 0 && message !== undefined && !isMakeable(message)
  const whole = () => (body === '*' ? schemas.message(input, style) : schemas.field(body, style))
  const schema = isNever ? nothingFits : message === undefined || left.length === 0 ? whole() : schemas.without(message, left, style)
  return rpc.clientStream ? streamedBody(schema, example) : { required: true, content: { 'application/json': { schema, example } } }
}

/** Where the body is a field of a type that requires itself. */
const nothingFits: JsonObject = { type: 'null', description: 'No message of this type can be made.' }

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

/** What the answer shows: a message, or the field that `response_body` names. */
function shownOf({ method: { output }, binding: { responseBody } }: RpcRule): {
  readonly field: DescField | undefined
  readonly message: DescMessage | undefined
} {
  const field = responseBody === '' ? undefined : output.fields.find(({ name }) => name === responseBody)
  if (field === undefined) return { field, message: output }
  return { field, message: field.fieldKind === 'message' ? field.message : undefined }
}

function answersEtag(rule: RpcRule): boolean {
  const { message } = shownOf(rule)
  return isTagged(rule) && message !== undefined && !isRaw(message) && etagField(message) !== undefined
}

/** The entity tag of a request is a field of its message, or of the resource in its body. */
function takesIfMatch(rule: RpcRule, { input, body }: Sources): boolean {
  const resource = body === undefined || body === '*' || body.fieldKind !== 'message' ? undefined : body.message
  return !isSafe(rule) && isTagged(rule) && [input, resource].some((message) => message !== undefined && etagField(message) !== undefined)
}

function isTagged({ rpc, options: { etag = false } }: RpcRule): boolean {
  return etag !== false && !rpc.serverStream
}

function isSafe({ as }: RpcRule): boolean {
  return as === 'GET' || as === 'HEAD'
}

function conditions(rule: RpcRule, sources: Sources): readonly JsonObject[] {
  const condition = (name: string, description: string, example: string): JsonObject => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
    example,
  })
  if (isSafe(rule) && answersEtag(rule)) return [condition('If-None-Match', 'Entity tags that the caller has.', '"example"')]
  return takesIfMatch(rule, sources) ? [condition('If-Match', 'The entity tag that the resource must still have; `*` for any.', '*')] : []
}

function answersOf(rule: RpcRule, sources: Sources): JsonObject {
  const { rpc, as, options } = rule
  const whole = answerOf(rule)
  const answer = as === 'HEAD' ? present({ ...whole, content: undefined }) : whole
  const isEmpty = !rpc.serverStream && shownOf(rule).message?.typeName === 'google.protobuf.Empty' && options.emptyAnswer === 204
  const chosen = !rpc.serverStream && options.statusFrom !== undefined
  return present({
    [isEmpty ? '204' : '200']: isEmpty ? present({ ...answer, content: undefined, description: 'Nothing to say.' }) : answer,
    '2XX': chosen ? { ...answer, description: 'Another success, as the service says.' } : undefined,
    '304': isSafe(rule) && answersEtag(rule) ? present({ ...answer, content: undefined, description: 'The caller has it.' }) : undefined,
    '3XX': chosen ? { ...answer, description: 'Somewhere else, as the service says.' } : undefined,
    '412': takesIfMatch(rule, sources) ? { $ref: '#/components/responses/PreconditionFailed' } : undefined,
  })
}

function headersOf(rule: RpcRule): JsonObject {
  const names = (rule.options.responseHeaders ?? []).filter((name) => !name.endsWith('*'))
  const own = names.map((name): [string, JsonObject] => [name, { description: 'As the service says it.', schema: { type: 'string' } }])
  return {
    ...Object.fromEntries(own),
    ...answerHeaders(rule.limited),
    ...(answersEtag(rule) ? { ETag: { description: 'The entity tag of what is answered.', schema: { type: 'string' } } } : {}),
  }
}

function answerOf(rule: RpcRule): JsonObject {
  const { rpc, method, binding, style, schemas } = rule
  const { field, message } = shownOf(rule)
  const headers = headersOf(rule)
  if (isRaw(message))
    return { description: 'Bytes, in the type that Content-Type says.', headers, content: { '*/*': { schema: { description: 'Any bytes, of any type.' } } } }
  const answers: Style = { ...style, answers: true }
  const schema = field === undefined ? schemas.message(method.output, answers) : schemas.field(field, answers)
  const example = field === undefined ? messageExample(method.output, answers, whole) : fieldExample(field, answers, whole)
  if (!rpc.serverStream) {
    const description = `${binding.responseBody === '' ? method.output.name : binding.responseBody}.`
    return { description, headers, content: { 'application/json': { schema, example } } }
  }
  const events = { type: 'string', description: 'Server-sent events; the data of each is one JSON message.', 'x-item-schema': schema }
  const line = JSON.stringify(example)
  return present({
    description: 'A stream of messages, written as Accept asks.',
    headers,
    content: {
      'application/x-ndjson': { schema: lines(schema), example: `${line}\n` },
      'text/event-stream': { schema: events, example: `data: ${line}\n\n` },
      'application/json': { schema: { type: 'array', items: schema }, example: [example] },
    },
  })
}

/** An example that shows all there is. */
const whole: Leaving = { paths: [] }
