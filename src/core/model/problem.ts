import { type Fault, faultCatalogue } from './fault.ts'
import { FieldList } from './fields.ts'
import type { Outbound } from './wire.ts'

/** What an answer may say about a fault beside the fault itself. */
export interface ProblemContext {
  /** The request's id; undefined when it was refused before it got one. */
  readonly id: string | undefined
  /** Nonprod only: name the rule that refused. */
  readonly showRule: boolean
  /** HEAD: headers alone (RFC 9110 section 9.3.2). */
  readonly head: boolean
}

/** The members of a problem document, in the order they are written. */
export type ProblemMembers = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/**
 * The problem document of a fault (RFC 9457): `type`, `title`, `status`, `detail`, `instance` (the request's id), `code`,
 * then the operator's `reason`, the `rule` where it may be shown, and the fault's own members. None of those can replace the first six.
 */
export function problemMembers(fault: Fault, context: ProblemContext): ProblemMembers {
  const { title } = faultCatalogue[fault.code]
  const { reason, rule, members } = fault.detail
  const fixed = { type: problemType(fault.code), title, status: fault.status, detail: fault.message, instance: context.id, code: fault.code }
  return { ...fixed, reason, rule: context.showRule ? rule : undefined, ...members, ...fixed }
}

/** The URN that names a kind of problem. Stable: clients may compare it. */
export function problemType(code: string): string {
  return `urn:sallyport:problem:${code}`
}

/** Answers with `application/problem+json`. Never cached: the next request may fare better. */
export function problemAnswer(fault: Fault, context: ProblemContext): Outbound & { readonly headers: FieldList } {
  const body = new TextEncoder().encode(JSON.stringify(problemMembers(fault, context)))
  const headers = faultHeaders(fault, context.id).set('content-type', 'application/problem+json').set('content-length', `${body.length}`)
  return { status: fault.status, headers, body: context.head ? undefined : body, close: fault.detail.close }
}

/** The headers of every answer made from a fault, in any dialect. */
export function faultHeaders(fault: Fault, id: string | undefined): FieldList {
  const headers = new FieldList(fault.detail.headers ?? []).set('cache-control', 'no-store')
  return id === undefined ? headers : headers.set('x-request-id', id)
}
