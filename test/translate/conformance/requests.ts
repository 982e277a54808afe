import type { JsonValue } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import type { Case } from './house.ts'

type Send = Case['send']

/** A request as `METHOD /path?query`, with a JSON body where one is given. */
export function sent(request: string, body?: string, type = 'application/json'): Send {
  const blank = request.indexOf(' ')
  const line = { method: request.slice(0, blank), path: request.slice(blank + 1) }
  return body === undefined ? line : { ...line, headers: { 'content-type': type }, body }
}

/** The request becomes this message, and its sender gets the service's empty answer. */
export function becomes(name: string, source: string, send: Send, rpc: string, message: JsonValue): Case {
  return { name, source, send, reaches: { rpc, message }, answer: { status: 200, headers: { 'content-type': 'application/json' }, json: {} } }
}

export interface Refusal {
  readonly status?: number
  readonly code?: string
  /** Parts of what the sender is told. */
  readonly says?: string | readonly string[]
  readonly headers?: Case['answer']['headers']
}

/** The request is refused with a problem document (400 `request_invalid` unless said otherwise), and nothing reaches the service. */
export function refused(name: string, source: string, send: Send, refusal: Refusal = {}): Case {
  const { status = 400, code = 'request_invalid', says = '', headers = {} } = refusal
  const also: Case['answer']['also'] = ({ body }) => {
    const problem = JSON.parse(body.toString()) as Readonly<Record<string, unknown>>
    expect(problem).toMatchObject({ status, code })
    for (const part of [says].flat()) expect(problem['detail']).toContain(part)
  }
  return { name, source, send, answer: { status, headers: { 'content-type': 'application/problem+json', ...headers }, also } }
}

/** As `refused`, for a body that is not the JSON of its type. `says` begins with where in the body. */
export function bodyRefused(name: string, source: string, send: Send, says = ''): Case {
  return refused(name, source, send, { code: 'body_invalid', says })
}
