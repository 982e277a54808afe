import { create, type DescField, type DescMessage, equals, type Message } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { Fault } from '../../model/fault.ts'
import type { Params } from '../../model/template-match.ts'
import { emptyMessage, fieldOf, isMembers, type Json, type JsonCodec, type LocalValue, serialize, valueFromText } from '../../protobuf.ts'
import { bindIfMatch } from './if-match.ts'
import type { BindingPlan, BoundVariable } from './plan.ts'
import { bindQuery, type QueryOptions } from './query.ts'
import { stepInto } from './step-into.ts'
import { derivedMask } from './update-mask.ts'

/** The parts of a request that a message is made from. */
export interface Parts {
  readonly params: Params
  readonly query: string
  readonly body:
    | { readonly kind: 'none' }
    | { readonly kind: 'json'; readonly json: Json }
    | { readonly kind: 'raw'; readonly type: string; readonly bytes: Uint8Array }
  /** The entity tag that If-Match names, as the field `etag` holds it. */
  readonly ifMatch?: string | undefined
}

/**
 * The request message of an HTTP rule (google.api.HttpRule, "Rules for HTTP mapping"). What the path says stands: a body that says
 * otherwise, or clears it, is refused. @throws Fault `request_invalid`, `body_invalid`
 */
export function bindBytes(plan: BindingPlan, parts: Parts, codec: JsonCodec, options: QueryOptions): Uint8Array {
  const { body } = parts
  // What If-Match says is compared with what the body says.
  const encoded = body.kind === 'json' && parts.ifMatch === undefined && isApart(plan, body.json) ? encodedBody(plan, body.json, codec) : undefined
  if (encoded === undefined || body.kind !== 'json') return serialize(plan.input, bindMessage(plan, parts, codec, options))
  if (plan.variables.length === 0 && parts.query === '' && plan.mask === undefined) return encoded
  const message = emptyMessage(plan.input)
  bindRest(plan, message, parts, maskOf(plan, body), options)
  const rest = serialize(plan.input, message)
  if (rest.length === 0) return encoded
  // Two serialized messages, one after the other, are the serialized message of both (protobuf.dev/programming-guides/encoding#last-one-wins).
  const bytes = new Uint8Array(encoded.length + rest.length)
  bytes.set(encoded)
  bytes.set(rest, encoded.length)
  return bytes
}

/** Whether what the body sets and what path, query and mask set are different top-level fields, so that each can be serialized by itself. */
function isApart(plan: BindingPlan, json: Json): boolean {
  // No oneof: one part would have to clear a member that the other has set.
  if (plan.variables.some(({ path }) => path.some((field) => field.oneof !== undefined))) return false
  if (plan.body.kind === 'field') return plan.body.field.oneof === undefined && plan.variables.every(({ path }) => path[0] !== bodyField(plan))
  return plan.variables.every(({ inBody }) => !isGiven(json, inBody?.slice(0, 1) ?? []))
}

function bodyField(plan: BindingPlan): DescField | undefined {
  return plan.body.kind === 'field' ? plan.body.field : undefined
}

function encodedBody(plan: BindingPlan, json: Json, codec: JsonCodec): Uint8Array | undefined {
  if (plan.body.kind === 'whole') return codec.encode(plan.input, json)
  return plan.body.kind === 'field' ? codec.encodeField(plan.input, plan.body.field, json) : undefined
}

/** The same as a message, for what is not encoded at once. @throws Fault `request_invalid`, `body_invalid` */
export function bindMessage(plan: BindingPlan, parts: Parts, codec: JsonCodec, options: QueryOptions): Message {
  const mask = maskOf(plan, parts.body)
  const message = fromBody(plan, parts.body, codec)
  bindRest(plan, message, parts, mask, options)
  return message
}

/** Path, query and mask into a message that has the body, or none of it. */
function bindRest(plan: BindingPlan, message: Message, parts: Parts, mask: ReflectMessage | undefined, options: QueryOptions): void {
  const target = reflect(plan.input, message)
  const json = parts.body.kind === 'json' ? parts.body.json : undefined
  for (const variable of plan.variables) bindVariable(target, variable, parts.params[variable.name] ?? '', json)
  bindQuery(plan, target, parts.query, options)
  if (parts.ifMatch !== undefined) bindIfMatch(plan, target, parts.ifMatch)
  bindMask(plan, target, mask)
}

/**
 * A message after the first of a client's stream: the body alone. What it says about a path variable must be what the path says.
 * @throws Fault `request_invalid`, `body_invalid`
 */
export function bindLaterMessage(plan: BindingPlan, params: Params, body: Parts['body'], codec: JsonCodec): Message {
  const mask = maskOf(plan, body)
  const message = fromBody(plan, body, codec)
  if (body.kind !== 'json') return message
  const target = reflect(plan.input, message)
  for (const variable of plan.variables) {
    const { name, inBody } = variable
    if (inBody !== undefined && isGiven(body.json, inBody)) bindVariable(target, variable, params[name] ?? '', body.json)
  }
  bindMask(plan, target, mask)
  return message
}

/** What a PATCH means by its body. Asked before the body is converted, which leaves out of it what is null. */
function maskOf(plan: BindingPlan, body: Parts['body']): ReflectMessage | undefined {
  return plan.mask === undefined || body.kind !== 'json' || !isMembers(body.json) ? undefined : derivedMask(plan, plan.mask, body.json)
}

function bindMask(plan: BindingPlan, target: ReflectMessage, mask: ReflectMessage | undefined): void {
  if (plan.mask !== undefined && mask !== undefined && !target.isSet(plan.mask.field)) target.set(plan.mask.field, mask)
}

function fromBody(plan: BindingPlan, body: Parts['body'], codec: JsonCodec): Message {
  if (plan.body.kind === 'none' || body.kind === 'none') return emptyMessage(plan.input)
  if (plan.body.kind === 'whole') return body.kind === 'raw' ? httpBody(plan.input, body) : codec.message(plan.input, body.json)
  if (body.kind === 'json') return codec.withField(plan.input, plan.body.field, body.json)
  const message = emptyMessage(plan.input)
  const desc = plan.body.field.message
  if (desc !== undefined) reflect(plan.input, message).set(plan.body.field, reflect(desc, httpBody(desc, body)))
  return message
}

/** google.api.HttpBody: the bytes as they came, with their content type. */
function httpBody(desc: DescMessage, body: { readonly type: string; readonly bytes: Uint8Array }): Message {
  return create(desc, { contentType: body.type, data: body.bytes })
}

function bindVariable(target: ReflectMessage, variable: BoundVariable, text: string, json: Json | undefined): void {
  const { name, path, inBody } = variable
  const parent = stepInto(target, path, (rival) => {
    throw new Fault('request_invalid', `the body sets "${rival.name}", which would clear "${name}" of the path`)
  })
  const leaf = path.at(-1)
  if (leaf === undefined) return
  const parsed = valueFromText(leaf, text)
  if ('problem' in parsed) throw new Fault('request_invalid', `path variable "${name}": ${parsed.problem}`)
  if (inBody !== undefined && json !== undefined && isGiven(json, inBody) && !isSame(parent.get(leaf), parsed.value)) {
    throw new Fault('request_invalid', `the body disagrees with the path about "${name}"`)
  }
  parent.set(leaf, parsed.value)
}

/** Whether the JSON has a value at the path, in either spelling; null is none. */
function isGiven(json: Json, path: NonNullable<BoundVariable['inBody']>): boolean {
  let at: Json | undefined = json
  for (const field of path) {
    if (!isMembers(at)) return false
    const members: Readonly<Record<string, Json>> = at
    const name = Object.keys(members).find((member) => fieldOf(field.parent, member, true) === field)
    at = name === undefined ? undefined : members[name]
  }
  return at !== undefined && at !== null
}

function isSame(given: unknown, value: LocalValue): boolean {
  if (value instanceof Uint8Array) return given instanceof Uint8Array && given.length === value.length && given.every((byte, i) => byte === value[i])
  if (typeof value !== 'object') return Object.is(given, value)
  // The field is the same, so both are messages of one type.
  return equals(value.desc, (given as ReflectMessage).message, value.message)
}
