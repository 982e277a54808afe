import { type DescMethod, type DescService, getExtension, hasExtension, type Message } from '@bufbuild/protobuf'
import { type MethodOptions, MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import type { HttpBinding, Rpc } from '../model/rpc.ts'
import { isTemplateError, parseTemplate, type Template } from '../model/template.ts'
import { builtinRegistry, type DescriptorBook } from './book.ts'
import { collide, describe, isTextual, resolvePath } from './fields.ts'
import { placeOf } from './place.ts'

/** What is wrong with the HTTP rules of one RPC. */
export interface RpcProblem {
  /** `package.Service/Method` */
  readonly rpc: string
  /** The proto file that says so, with the line where the set has source information: `shop/v1/orders.proto:12`. */
  readonly place: string
  /** The message whose fields the rule names: the request, or the answer where its `response_body` is wrong. */
  readonly type: string
  /** What is wrong, beginning with the rule: `GET /v1/{id}: …`. */
  readonly message: string
  /** Path template of a rule that was left out. */
  readonly template?: string
}

export interface ServiceRpcs {
  readonly rpcs: readonly Rpc[]
  readonly problems: readonly RpcProblem[]
}

/** google.api.HttpRule as the dynamic registry decodes it. */
interface HttpRule extends Message<'google.api.HttpRule'> {
  readonly pattern:
    | { readonly case: 'get' | 'put' | 'post' | 'delete' | 'patch'; readonly value: string }
    | { readonly case: 'custom'; readonly value: { readonly kind: string; readonly path: string } }
    | { readonly case: undefined }
  readonly body: string
  readonly responseBody: string
  readonly additionalBindings: readonly HttpRule[]
}

/** RFC 9110 section 5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * The RPCs of a service with their HTTP rules: the annotation, its additional bindings, then the automatic
 * `POST /package.Service/Method` with the whole message as body. A rule that cannot work is left out and reported.
 * Undefined when the book has no such service.
 */
export function rpcsOf(book: DescriptorBook, service: string): ServiceRpcs | undefined {
  const desc = book.registry.getService(service)
  if (desc === undefined) return undefined
  const problems: RpcProblem[] = []
  const taken = new Map<string, string>()
  const annotated = desc.methods.map((method) => {
    const bindings = dropTaken(method, annotatedBindings(method, problems), taken, problems)
    return { method, bindings }
  })
  const rpcs = annotated.map(({ method, bindings }) => rpcOf(desc, method, withAutomatic(desc, method, bindings, taken, problems)))
  return { rpcs, problems }
}

/** What is wrong with an HTTP rule that a route gives an RPC of a service, or undefined. The place is that of the RPC. */
export function bindingProblem(book: DescriptorBook, service: string, rpc: string, binding: HttpBinding): RpcProblem | undefined {
  const method = book.registry.getService(service)?.methods.find(({ name }) => name === rpc)
  if (method === undefined) return { rpc: `${service}/${rpc}`, place: 'the set', type: 'unknown', message: `${service} has no RPC "${rpc}"` }
  const problem = checkBinding(method, binding)
  if (problem === undefined) return undefined
  const message = `${binding.method} ${binding.template}: ${problem}`
  return { rpc: rpcName(method), place: placeOf(method), type: typeIn(method, problem), message }
}

/** The rules of the google.api.http option as it says them, additional ones included, checked or not. */
export function declaredBindings(method: DescMethod): readonly HttpBinding[] {
  const options = method.proto.options
  const rule = extension === undefined || options === undefined || !hasExtension(options, extension) ? undefined : ruleIn(options)
  if (rule === undefined) return []
  return [rule, ...rule.additionalBindings].flatMap((each) => {
    const binding = bindingOf(each)
    return 'problem' in binding ? [] : [binding]
  })
}

function rpcOf(service: DescService, method: DescMethod, bindings: readonly HttpBinding[]): Rpc {
  return {
    service: service.typeName,
    method: method.name,
    path: `/${service.typeName}/${method.name}`,
    input: method.input.typeName,
    output: method.output.typeName,
    clientStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    serverStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    ...(method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ? { noSideEffects: true as const } : {}),
    ...(method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT ? { idempotent: true as const } : {}),
    bindings,
  }
}

/** Our own, not the set's: whatever the set says of google.api, its options are read by what the name stands for. */
const extension = builtinRegistry.getExtension('google.api.http')

function ruleIn(options: MethodOptions): HttpRule | undefined {
  try {
    return extension === undefined ? undefined : (getExtension(options, extension) as HttpRule) // the built-in extension is of this type
  } catch {
    return undefined
  }
}

function annotatedBindings(method: DescMethod, problems: RpcProblem[]): readonly HttpBinding[] {
  const rpc = rpcName(method)
  const options = method.proto.options
  if (extension === undefined || options === undefined || !hasExtension(options, extension)) return []
  const rule = ruleIn(options)
  if (rule === undefined) {
    problems.push({ rpc, place: placeOf(method), type: method.input.typeName, message: 'the google.api.http option: its bytes cannot be read' })
    return []
  }
  const bindings: HttpBinding[] = []
  for (const [each, nested] of [[rule, false] as const, ...rule.additionalBindings.map((inner) => [inner, true] as const)]) {
    const say = (problem: string, type = method.input.typeName, template: Pick<RpcProblem, 'template'> = {}) =>
      problems.push({ rpc, place: placeOf(method), type, message: `${textOf(each)}: ${problem}`, ...template })
    if (nested && each.additionalBindings.length > 0) say('an additional binding cannot have additional_bindings')
    const binding = bindingOf(each)
    const problem = 'problem' in binding ? binding.problem : checkBinding(method, binding)
    if (problem !== undefined) say(problem, 'problem' in binding ? undefined : typeIn(method, problem), templateOf(each))
    else if (!('problem' in binding)) bindings.push(binding)
  }
  return bindings
}

/** Which of the two messages of an RPC a problem is about. */
function typeIn(method: DescMethod, problem: string): string {
  return problem.startsWith('response_body ') ? method.output.typeName : method.input.typeName
}

function rpcName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`
}

function textOf(rule: HttpRule): string {
  if (rule.pattern.case === undefined) return 'HTTP rule'
  return rule.pattern.case === 'custom' ? `${rule.pattern.value.kind} ${rule.pattern.value.path}` : `${rule.pattern.case.toUpperCase()} ${rule.pattern.value}`
}

function templateOf({ pattern }: HttpRule): Pick<RpcProblem, 'template'> {
  if (pattern.case === undefined) return {}
  return { template: pattern.case === 'custom' ? pattern.value.path : pattern.value }
}

function bindingOf(rule: HttpRule): HttpBinding | { readonly problem: string } {
  const { body, responseBody, pattern } = rule
  if (pattern.case === undefined) return { problem: 'it names no method and path' }
  if (pattern.case !== 'custom') return { method: pattern.case.toUpperCase(), template: canonicalEscapes(pattern.value), body, responseBody }
  const kind = pattern.value.kind.toUpperCase()
  if (!token.test(kind)) return { problem: `"${pattern.value.kind}" is not a method` }
  return { method: kind, template: canonicalEscapes(pattern.value.path), body, responseBody }
}

/** Annotations may spell their literals as they like; requests are matched by their canonical path (RFC 3986 section 6.2.2). */
function canonicalEscapes(template: string): string {
  return template.replaceAll(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const char = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape.toUpperCase()
  })
}

/** Everything about a rule that can be known before a request comes. */
function checkBinding(method: DescMethod, binding: HttpBinding): string | undefined {
  const template = parseTemplate(binding.template)
  if (isTemplateError(template)) return `${template.message} (character ${template.at + 1})`
  return checkVariables(method, template) ?? checkBody(method, binding, template) ?? checkResponseBody(method, binding)
}

function checkVariables(method: DescMethod, template: Template): string | undefined {
  const paths: (readonly [string, Exclude<ReturnType<typeof resolvePath>, { problem: string }>])[] = []
  for (const { name } of template.variables) {
    const path = resolvePath(method.input, name, false)
    if ('problem' in path) return `path variable "${name}": ${path.problem}`
    const leaf = path.at(-1)
    if (leaf === undefined || !isTextual(leaf)) return `path variable "${name}": ${describe(leaf)} cannot be written in a path`
    for (const [other, fields] of paths) {
      if (collide(path, fields) !== undefined) return `path variables "${other}" and "${name}" would overwrite each other`
    }
    paths.push([name, path])
  }
  return undefined
}

function checkBody(method: DescMethod, binding: HttpBinding, template: Template): string | undefined {
  const { body } = binding
  if (body === '' || body === '*') return undefined
  if (body.includes('.')) return `body "${body}" must be a top-level field`
  const field = method.input.fields.find((candidate) => candidate.name === body)
  if (field === undefined) return `body "${body}" is not a field of ${method.input.typeName}`
  for (const { name } of template.variables) {
    const path = resolvePath(method.input, name, false)
    if ('problem' in path) continue
    const how = collide(path, [field])
    if (how === 'same' || how === 'oneof') return `body "${body}" and path variable "${name}" would overwrite each other`
  }
  return undefined
}

function checkResponseBody(method: DescMethod, binding: HttpBinding): string | undefined {
  const { responseBody } = binding
  if (responseBody === '') return undefined
  if (responseBody.includes('.')) return `response_body "${responseBody}" must be a top-level field`
  const exists = method.output.fields.some((field) => field.name === responseBody)
  return exists ? undefined : `response_body "${responseBody}" is not a field of ${method.output.typeName}`
}

/** Method and path with every variable as its pattern: two rules of one shape take the same requests. */
function shapeOf(binding: HttpBinding): string {
  const template = parseTemplate(binding.template)
  if (isTemplateError(template)) return `${binding.method} ${binding.template}`
  const segments = template.segments.map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'one' ? '*' : '**'))
  return `${binding.method} /${segments.join('/')}${template.verb === undefined ? '' : `:${template.verb}`}`
}

/** Notes who takes a shape first; a binding whose shape is taken is dropped and reported with both RPCs. */
function dropTaken(method: DescMethod, bindings: readonly HttpBinding[], taken: Map<string, string>, problems: RpcProblem[]): readonly HttpBinding[] {
  const rpc = rpcName(method)
  return bindings.filter((binding) => {
    const shape = shapeOf(binding)
    const other = taken.get(shape)
    if (other === undefined) taken.set(shape, rpc)
    else
      problems.push({
        rpc,
        place: placeOf(method),
        type: method.input.typeName,
        message: `${binding.method} ${binding.template}: ${other} and ${rpc} take the same requests (${shape})`,
      })
    return other === undefined
  })
}

function withAutomatic(
  service: DescService,
  method: DescMethod,
  bindings: readonly HttpBinding[],
  taken: ReadonlyMap<string, string>,
  problems: RpcProblem[],
): readonly HttpBinding[] {
  const automatic: HttpBinding = { method: 'POST', template: `/${service.typeName}/${method.name}`, body: '*', responseBody: '' }
  const owner = taken.get(shapeOf(automatic))
  const rpc = rpcName(method)
  if (owner === undefined) return [...bindings, automatic]
  const taker = service.methods.find((other) => rpcName(other) === owner)
  if (owner !== rpc && taker !== undefined)
    problems.push({
      rpc: owner,
      place: placeOf(taker),
      type: taker.input.typeName,
      message: `POST ${automatic.template}: ${owner} takes the automatic path of ${rpc}`,
    })
  return bindings
}
