import type { DescMethod } from '@bufbuild/protobuf'
import { costOf } from '../model/cost.ts'
import { capacityOf, refillMs } from '../model/limit.ts'
import type { Route } from '../model/route.ts'
import type { HttpBinding, Rpc } from '../model/rpc.ts'
import { isTemplateError, parseTemplate } from '../model/template.ts'
import type { Policy } from '../policy/policy.ts'
import type { DescriptorBook } from '../protobuf.ts'
import type { Comments } from './comments.ts'
import { type Json, type JsonObject, present } from './json.ts'
import { pathParameters, testParameters } from './parameters.ts'
import { type OpenapiPath, openapiPath } from './path.ts'
import { answerHeaders, failures } from './responses.ts'
import { describeRpc, unsayableOf } from './rpc-operation.ts'
import type { Schemas } from './schemas.ts'
import { demandedOf } from './security.ts'
import { serversOf } from './servers.ts'
import { buildStyle, type Style } from './style.ts'

/** What all operations of a document share. */
export interface Surroundings {
  readonly policy: Policy
  readonly schemas: Schemas
  readonly comments: Comments
  readonly book: (descriptors: string) => DescriptorBook
  /** Say in `x-sallyport-…` which route, RPC and limits are behind an operation. */
  readonly extensions: boolean
}

/** One way into a route: what OpenAPI calls an operation, written once its place among the paths is known. */
export interface Operation {
  readonly route: Route
  /** Upper-case. */
  readonly method: string
  readonly path: OpenapiPath
  readonly tag: { readonly name: string; readonly description: string | undefined }
  /** A name for it, unique in its route. */
  readonly id: string
  /** Why no request of it can succeed, one sentence for each field; empty when one can. */
  readonly impossible: readonly string[]
  readonly write: (path: OpenapiPath, id: string) => JsonObject
}

/** Something that a document cannot show, or not promise, and why. */
export interface Omission {
  readonly route: string
  readonly operation: string | undefined
  readonly reason: string
}

export function isOperation(one: Operation | Omission): one is Operation {
  return 'write' in one
}

const methodsShown = new Set(['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE'])
/** What stands for "any method". */
const usual = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const withBody = ['POST', 'PUT', 'PATCH']

/** The operations of one route, in the order of its service and rules. */
export function operationsOf(route: Route, around: Surroundings): readonly (Operation | Omission)[] {
  if (route.quarantined !== undefined) return [{ route: route.name, operation: undefined, reason: `quarantined: ${route.quarantined}` }]
  return route.match.grpc === undefined ? pathOperations(route, around) : rpcOperations(route, route.match.grpc, around)
}

function pathOperations(route: Route, around: Surroundings): readonly Operation[] {
  const template = parseTemplate(route.match.path ?? '/{**}')
  // The loader refused templates that do not parse.
  if (isTemplateError(template)) throw new Error(`route ${route.name}: ${template.message}`)
  const methods = (route.match.methods.length === 0 ? usual : route.match.methods).filter((method) => methodsShown.has(method))
  const path = openapiPath(template)
  const tag = { name: route.name, description: undefined }
  return methods.map((method) => ({
    route,
    method,
    path,
    tag,
    id: methods.length === 1 ? route.name : `${route.name}_${method.toLowerCase()}`,
    impossible: [],
    write: (at, id) => {
      const body = withBody.includes(method)
      const description = route.openapi === undefined ? 'The answer of the service, as it is.' : 'An OpenAPI document.'
      const type = route.openapi === undefined ? '*/*' : 'application/json'
      const status = route.openapi === undefined ? '2XX' : '200'
      return operation(route, around, {
        id,
        tag: tag.name,
        method,
        rpc: undefined,
        summary: route.openapi === undefined ? undefined : 'The OpenAPI document',
        parameters: pathParameters(at.parts, undefined),
        requestBody: body ? { content: { '*/*': { schema: { description: 'Any bytes, of any type.' }, example: 'example' } } } : undefined,
        answer: { [status]: { description, headers: answerHeaders(isLimited(route, around.policy)), content: { [type]: { schema: {} } } } },
        failing: { reads: false, body, typed: false, streams: false, grpc: false },
      })
    },
  }))
}

function rpcOperations(route: Route, grpc: NonNullable<Route['match']['grpc']>, around: Surroundings): readonly (Operation | Omission)[] {
  const { registry } = around.book(grpc.descriptors)
  const service = registry.getService(grpc.service)
  if (service === undefined) throw new Error(`route ${route.name}: no service ${grpc.service}`)
  const style = buildStyle(grpc.descriptors, registry, route.translate)
  const tag = { name: service.typeName, description: around.comments(service) }
  const rules = grpc.rpcs.flatMap((rpc) => {
    const method = service.methods.find(({ name }) => name === rpc.method)
    return method === undefined ? [] : rpc.bindings.map((binding, at): Rule => ({ route, rpc, method, binding, at, style, tag }))
  })
  const found = rules.flatMap((rule) => ruleOperations(rule, around))
  return route.translate.head === 'fromGet' ? [...found, ...headsOf(rules, found, around)] : found
}

/** HEAD takes the GET bindings, where it has none of its own. */
function headsOf(rules: readonly Rule[], found: readonly (Operation | Omission)[], around: Surroundings): readonly Operation[] {
  const own = new Set(found.flatMap((one) => (isOperation(one) && one.method === 'HEAD' ? [one.path.shape] : [])))
  return rules
    .filter(({ binding }) => binding.method === 'GET')
    .flatMap((rule) => ruleOperations(rule, around, 'HEAD'))
    .filter((one): one is Operation => isOperation(one) && !own.has(one.path.shape))
}

interface Rule {
  readonly route: Route
  readonly rpc: Rpc
  readonly method: DescMethod
  readonly binding: HttpBinding
  /** Position among the rules of its RPC. */
  readonly at: number
  readonly style: Style
  readonly tag: Operation['tag']
}

function ruleOperations(rule: Rule, around: Surroundings, as?: 'HEAD'): readonly (Operation | Omission)[] {
  const { route, rpc, binding, at, tag } = rule
  const template = parseTemplate(binding.template)
  if (isTemplateError(template)) throw new Error(`route ${route.name}: ${template.message}`)
  const taken = (method: string) => route.match.methods.length === 0 || route.match.methods.includes(method)
  const any = binding.method === '*'
  const methods = (any ? (binding.body === '' ? usual : withBody) : [as ?? binding.method]).filter(as === undefined ? taken : () => taken('GET'))
  const isAutomatic = at > 0 && binding.method === 'POST' && binding.template === rpc.path
  const name = `${rpc.service.split('.').at(-1)}_${rpc.method}${isAutomatic ? '_rpc' : at > 0 ? `_${at + 1}` : ''}`
  const path = openapiPath(template)
  const impossible = unsayableOf({ method: rule.method, binding, path, options: route.translate })
  return methods.map((method) => {
    if (!methodsShown.has(method)) return { route: route.name, operation: `${method} ${binding.template}`, reason: 'OpenAPI 3.1 knows no such method' }
    return {
      route,
      method,
      path,
      tag,
      id: any || as !== undefined ? `${name}_${method.toLowerCase()}` : name,
      impossible,
      write: (place, id) => writeRule(rule, around, method, place, id),
    }
  })
}

function writeRule({ route, rpc, method: desc, binding, style, tag }: Rule, around: Surroundings, method: string, path: OpenapiPath, id: string): JsonObject {
  const { schemas, comments, policy } = around
  const described = describeRpc({
    rpc,
    method: desc,
    binding,
    as: method,
    path,
    options: route.translate,
    style,
    schemas,
    comments,
    limited: isLimited(route, policy),
  })
  const { summary, description, deprecated, parameters, requestBody, answers, typed } = described
  return operation(route, around, {
    id,
    tag: tag.name,
    method,
    rpc: `${rpc.service}/${rpc.method}`,
    summary,
    description,
    deprecated,
    parameters,
    requestBody,
    answer: answers,
    // Query parameters that no field takes are refused too.
    failing: { reads: true, body: requestBody !== undefined, typed, streams: rpc.serverStream, grpc: true },
  })
}

interface Written {
  readonly id: string
  readonly tag: string
  readonly method: string
  readonly rpc: string | undefined
  readonly summary: string | undefined
  readonly description?: string | undefined
  readonly deprecated?: true | undefined
  readonly parameters: readonly JsonObject[]
  readonly requestBody: JsonObject | undefined
  readonly answer: JsonObject
  readonly failing: { readonly reads: boolean; readonly body: boolean; readonly typed: boolean; readonly streams: boolean; readonly grpc: boolean }
}

function operation(route: Route, around: Surroundings, written: Written): JsonObject {
  const { policy } = around
  const policies = route.access.map((name) => policy.access[name]).filter((each) => each !== undefined)
  const demanded = demandedOf(policies, { method: written.method, rpc: written.rpc })
  const limits = limitsOf(route, policy, { method: written.method, rpc: written.rpc })
  const failing = { ...written.failing, authenticates: demanded.reads, refuses: demanded.refuses, limited: limits.length > 0 }
  const tests = [...testParameters(route.match.headers, 'header'), ...testParameters(route.match.query, 'query')]
  const isTested = (one: JsonObject) => tests.some((test) => test['in'] === one['in'] && test['name'] === one['name'])
  const parameters = [...written.parameters.filter((one) => !isTested(one)), ...tests]
  return present({
    operationId: written.id,
    tags: [written.tag],
    summary: written.summary,
    description: written.description,
    deprecated: written.deprecated,
    parameters: parameters.length === 0 ? undefined : parameters,
    requestBody: written.requestBody,
    responses: { ...written.answer, ...failures(failing) },
    security: demanded.security,
    servers: route.match.hosts.length === 0 ? undefined : serversOf(route.match.hosts, policy),
    ...(around.extensions ? extensionsOf(route, written.rpc, limits) : {}),
  })
}

interface AnnouncedLimit {
  readonly name: string
  readonly quota: number
  /** 0: places held at a time. */
  readonly windowSeconds: number
  readonly cost: number
  /** The claim that says another quota than this one. */
  readonly claim?: string
}

function isLimited(route: Route, policy: Policy): boolean {
  return limitsOf(route, policy, { method: '', rpc: undefined }).length > 0
}

/** Limits that refuse; those that only watch are nobody's business. */
function limitsOf(route: Route, policy: Policy, asked: { readonly method: string; readonly rpc: string | undefined }): readonly AnnouncedLimit[] {
  return route.limits.flatMap((use) => {
    const { name } = use
    const cost = costOf(use, asked.method, asked.rpc?.split('/').at(-1))
    const limit = policy.limits[name]
    if (limit === undefined || limit.mode === 'audit' || limit.counts === 'failures') return []
    return [
      { name, quota: capacityOf(limit), windowSeconds: refillMs(limit) / 1000, cost, ...(limit.claimed === undefined ? {} : { claim: limit.claimed.claim }) },
    ]
  })
}

function extensionsOf(route: Route, rpc: string | undefined, limits: readonly AnnouncedLimit[]): Readonly<Record<string, Json | undefined>> {
  return {
    'x-sallyport-route': route.name,
    'x-sallyport-rpc': rpc,
    'x-sallyport-limits': limits.length === 0 ? undefined : limits.map((one) => ({ ...one })),
  }
}
