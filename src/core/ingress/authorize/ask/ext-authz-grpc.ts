import { base64Decode } from '@bufbuild/protobuf/wire'
import type { GrpcReply } from '../../../model/call.ts'
import { noFields } from '../../../model/fields.ts'
import type { Cluster } from '../../../policy/linked/clusters.ts'
import type { ExtAuthzPoint } from '../../../policy/linked/deciders.ts'
import { buildJsonCodec, type Json, readDescriptors, serialize } from '../../../protobuf.ts'
import { extAuthzSet } from './ext-authz-set.ts'
import { givenHeaders } from './given.ts'
import type { Inputs } from './inputs.ts'
import { type Answer, type Consult, plainAnswer, type Question, shortened } from './question.ts'

/** Where the service stands (envoy/service/auth/v3/external_auth.proto). */
export const checkPath = '/envoy.service.auth.v3.Authorization/Check'

/** Asks a gRPC server of Envoy's external authorization, v3. */
export function buildExtAuthzGrpc(point: ExtAuthzPoint, clusters: Readonly<Record<string, Cluster>>, consult: Consult): Question {
  const authority = clusters[point.cluster]?.authority ?? point.cluster
  return async (inputs, until) => {
    const messages = types().encode(requestOf(inputs))
    const call = { kind: 'grpc', path: checkPath, authority, metadata: noFields, messages, serverStream: false } as const
    const reply = await consult(point.cluster, call, until)
    if (reply.kind !== 'grpc') throw new Error('it did not answer over gRPC')
    return readResponse(types().decode(await theMessage(reply)), point)
  }
}

/** The one message of a unary call. @throws Error when the call failed, or there is none. */
async function theMessage(reply: GrpcReply): Promise<Uint8Array> {
  let only: Uint8Array | undefined
  for await (const message of reply.messages) only ??= message
  const { code, message } = reply.status()
  if (code !== 0) throw new Error(`the call failed with status ${code}${message === '' ? '' : ` (${shortened(message) ?? ''})`}`)
  if (only === undefined) throw new Error('the call ended without an answer')
  return only
}

/** AttributeContext: who and what, as far as it is declared; what has no place of its own stands in `context_extensions`. */
function requestOf(inputs: Inputs): Json {
  const { principal, address, query, token } = inputs
  const path = inputs.path === undefined ? undefined : `${inputs.path}${query === undefined || query === '' ? '' : `?${query}`}`
  const source = {
    ...(address === undefined ? {} : { address: { socketAddress: { address } } }),
    ...(principal?.subject === undefined ? {} : { principal: principal.subject }),
  }
  const http = {
    id: inputs.id,
    ...given('method', inputs.method),
    ...given('path', path),
    ...given('host', inputs.host),
    scheme: inputs.scheme,
    headers: { ...inputs.headers, ...given('authorization', token) },
    size: '-1',
  }
  const destination = given('service', inputs.route)
  return { attributes: { source, destination, request: { http }, contextExtensions: { ...extensionsOf(inputs) } } }
}

function extensionsOf({ route, rpc, params = {}, principal }: Inputs): Record<string, string> {
  const texts: Record<string, string> = { ...given('route', route), ...given('rpc', rpc) }
  for (const [name, value] of Object.entries(params)) texts[`params.${name}`] = textOf(value)
  if (principal === undefined) return texts
  Object.assign(texts, { principal: principal.kind, ...given('issuer', principal.issuer), ...given('clientId', principal.clientId) })
  if (principal.scopes !== undefined) texts['scopes'] = principal.scopes.join(' ')
  for (const [name, value] of Object.entries(principal.claims ?? {})) texts[`claim.${name}`] = textOf(value)
  return texts
}

function given<K extends string>(name: K, value: string | undefined): { readonly [Name in K]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Name in K]: string }) // one member of that name
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** CheckResponse in its JSON form; members with their default value are not there. */
interface CheckResponse {
  readonly status?: { readonly code?: number; readonly message?: string }
  readonly deniedResponse?: { readonly status?: { readonly code?: number }; readonly headers?: readonly HeaderOption[]; readonly body?: string }
  readonly okResponse?: { readonly headers?: readonly HeaderOption[] }
}

interface HeaderOption {
  readonly header?: { readonly key?: string; readonly value?: string; readonly rawValue?: string }
}

/** A status that is OK allows, unless the answer carries a denial all the same. An answer that says nothing at all is none. */
function readResponse({ status, deniedResponse, okResponse }: CheckResponse, point: ExtAuthzPoint): Answer {
  if (status === undefined && deniedResponse === undefined && okResponse === undefined) throw new Error('its answer says nothing')
  if ((status?.code ?? 0) === 0 && deniedResponse === undefined)
    return { ...plainAnswer(true), given: givenHeaders(pairsOf(okResponse?.headers), point.upstreamHeaders) }
  const reason = shortened(deniedResponse?.body ?? '') ?? shortened(status?.message ?? '')
  const challenge = pairsOf(deniedResponse?.headers).find(([name]) => name.toLowerCase() === 'www-authenticate')?.[1]
  return { ...plainAnswer(false), reason, status: deniedResponse?.status?.code, challenge }
}

function pairsOf(options: readonly HeaderOption[] = []): readonly (readonly [string, string])[] {
  return options.map(({ header = {} }) => {
    const raw = header.rawValue === undefined ? undefined : new TextDecoder().decode(base64Decode(header.rawValue))
    return [header.key ?? '', header.value ?? raw ?? ''] as const
  })
}

interface Types {
  encode(request: Json): Uint8Array
  /** @throws Error for bytes that are no CheckResponse. */
  decode(bytes: Uint8Array): CheckResponse
}

let known: Types | undefined

/** Built when the first question is asked: most policies ask none. */
function types(): Types {
  known ??= buildTypes()
  return known
}

function buildTypes(): Types {
  const book = readDescriptors(base64Decode(extAuthzSet))
  if ('problem' in book) throw new Error(book.problem)
  const options = { emitDefaults: false, enumsAsInts: false, protoNames: false, ignoreUnknownFields: false }
  const codec = buildJsonCodec(book.registry, options)
  const messageOf = (name: string) => {
    const desc = book.registry.getMessage(`envoy.service.auth.v3.${name}`)
    if (desc === undefined) throw new Error(`${name} is not in the embedded descriptors`)
    return desc
  }
  const [request, response] = [messageOf('CheckRequest'), messageOf('CheckResponse')]
  return {
    encode: (json) => serialize(request, codec.message(request, json)),
    decode(bytes) {
      try {
        return codec.toJson(response, bytes) as CheckResponse // the descriptors say so; what stands there is read member by member
      } catch (cause) {
        throw new Error('its answer is no CheckResponse', { cause })
      }
    },
  }
}
