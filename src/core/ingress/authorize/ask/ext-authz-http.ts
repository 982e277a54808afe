import type { HttpCall } from '../../../model/call.ts'
import { FieldList } from '../../../model/fields.ts'
import type { Cluster } from '../../../policy/linked/clusters.ts'
import type { ExtAuthzPoint } from '../../../policy/linked/deciders.ts'
import { givenHeaders } from './given.ts'
import { httpReplyOf, startOf } from './http.ts'
import type { Inputs } from './inputs.ts'
import { type Consult, plainAnswer, type Question, shortened } from './question.ts'

/** Bytes of a refusal's body that are read, for its words. */
const wordsLimit = 1024

/**
 * Asks an HTTP server of Envoy's external authorization: the request's own method and path without a body, and the headers that the policies
 * name. 2xx allows; 5xx and 429 are no answer; everything else denies, redirects included.
 */
export function buildExtAuthzHttp(point: ExtAuthzPoint, clusters: Readonly<Record<string, Cluster>>, consult: Consult): Question {
  const authority = clusters[point.cluster]?.authority
  return async (inputs, until) => {
    const reply = httpReplyOf(await consult(point.cluster, callOf(point, authority, inputs), until))
    const { status, headers } = reply
    const { text } = await startOf(reply.body, wordsLimit)
    if (status >= 500 || status === 429) throw new Error(`it answered ${status}`)
    if (status >= 200 && status < 300) return { ...plainAnswer(true), given: givenHeaders(headers.entries(), point.upstreamHeaders) }
    return { ...plainAnswer(false), reason: shortened(text) ?? `it answered ${status}`, status, challenge: headers.get('www-authenticate') }
  }
}

function callOf(point: ExtAuthzPoint, authority: string | undefined, inputs: Inputs): HttpCall {
  const { method = 'GET', path = '/', query, host, address, token } = inputs
  const headers = new FieldList(Object.entries(inputs.headers))
  if (token !== undefined) headers.append('authorization', token)
  if (address !== undefined) headers.append('x-forwarded-for', address)
  headers.append('x-forwarded-proto', inputs.scheme)
  if (host !== undefined) headers.append('x-forwarded-host', host)
  headers.append('x-request-id', inputs.id)
  const target = `${point.pathPrefix}${path}${query === undefined || query === '' ? '' : `?${query}`}`
  return { kind: 'http', method, scheme: 'http', authority: authority ?? host ?? point.cluster, target, headers, body: undefined }
}
