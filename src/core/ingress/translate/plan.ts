import type { DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import type { HttpBinding, Rpc } from '../../model/rpc.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import { etagField, resolvePath } from '../../protobuf.ts'

export interface BoundVariable {
  readonly name: string
  readonly path: readonly DescField[]
  /** The same field from the root of the body; undefined where the body cannot hold it. */
  readonly inBody: readonly DescField[] | undefined
}

/** One HTTP rule with its names resolved: what of a request goes where in the message. */
export interface BindingPlan {
  readonly input: DescMessage
  readonly variables: readonly BoundVariable[]
  readonly body:
    | { readonly kind: 'none' }
    | { readonly kind: 'whole'; readonly raw: boolean }
    | { readonly kind: 'field'; readonly field: DescField; readonly raw: boolean }
  /** Set where an absent mask is derived from the body (AIP-134): PATCH of a message field, and exactly one FieldMask beside it. */
  readonly mask: { readonly field: DescField; readonly of: DescMessage } | undefined
  /** The string field `etag` of the message or else of the resource in its body (AIP-154). */
  readonly etag: readonly DescField[] | undefined
  /** The answer is google.api.HttpBody: its bytes as they are, in the type that it names itself. */
  readonly rawAnswer: boolean
}

/** Resolves the names of a binding. @throws Error when it does not fit the descriptors it was loaded with */
export function planBinding(registry: Registry, rpc: Rpc, binding: HttpBinding): BindingPlan {
  const input = registry.getMessage(rpc.input)
  const template = parseTemplate(binding.template)
  if (input === undefined || isTemplateError(template)) throw new Error(`${rpc.path}: ${binding.template} does not fit its descriptors`)
  const body = planBody(input, binding)
  const variables = template.variables.map(({ name }) => {
    const path = resolvePath(input, name, false)
    if ('problem' in path) throw new Error(`${rpc.path}: ${path.problem}`)
    return { name, path, inBody: inBody(body, path) }
  })
  return {
    input,
    variables,
    body,
    mask: planMask(input, binding, body),
    etag: planEtag(input, body),
    rawAnswer: isRawAnswer(registry.getMessage(rpc.output), binding),
  }
}

function planBody(input: DescMessage, binding: HttpBinding): BindingPlan['body'] {
  if (binding.body === '') return { kind: 'none' }
  if (binding.body === '*') return { kind: 'whole', raw: isHttpBody(input) }
  const field = input.fields.find((candidate) => candidate.name === binding.body)
  if (field === undefined) throw new Error(`body "${binding.body}" is not a field of ${input.typeName}`)
  return { kind: 'field', field, raw: field.fieldKind === 'message' && isHttpBody(field.message) }
}

function planEtag(input: DescMessage, body: BindingPlan['body']): BindingPlan['etag'] {
  const own = etagField(input)
  if (own !== undefined) return [own]
  const inner = body.kind === 'field' && !body.raw && body.field.fieldKind === 'message' ? etagField(body.field.message) : undefined
  return body.kind === 'field' && inner !== undefined ? [body.field, inner] : undefined
}

function isRawAnswer(output: DescMessage | undefined, { responseBody }: HttpBinding): boolean {
  if (output === undefined || responseBody === '') return output !== undefined && isHttpBody(output)
  const field = output.fields.find(({ name }) => name === responseBody)
  return field?.fieldKind === 'message' && isHttpBody(field.message)
}

function isHttpBody(desc: DescMessage): boolean {
  return desc.typeName === 'google.api.HttpBody'
}

function inBody(body: BindingPlan['body'], path: readonly DescField[]): readonly DescField[] | undefined {
  if (body.kind === 'whole') return path
  return body.kind === 'field' && path[0] === body.field ? path.slice(1) : undefined
}

function planMask(input: DescMessage, binding: HttpBinding, body: BindingPlan['body']): BindingPlan['mask'] {
  if (binding.method !== 'PATCH' || body.kind !== 'field' || body.raw || body.field.fieldKind !== 'message') return undefined
  const masks = input.fields.filter((field) => field.fieldKind === 'message' && field.message.typeName === 'google.protobuf.FieldMask')
  const [field] = masks
  return masks.length === 1 && field !== undefined ? { field, of: body.field.message } : undefined
}
