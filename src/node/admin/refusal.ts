import type { Context } from 'hono'
import { Fault, type FaultCode } from '../../core/model/fault.ts'
import { problemAnswer } from '../../core/model/problem.ts'

/** Refuses with a problem document. */
export function problem(code: FaultCode, message: string): Response {
  const { status, headers, body } = problemAnswer(new Fault(code, message), { id: undefined, showRule: false, head: false })
  return new Response(body as Uint8Array<ArrayBuffer>, { status, headers: [...headers.entries()].map(([name, value]): [string, string] => [name, value]) })
}

/** Browsers say where a request comes from; a page must change nothing in its reader's name. */
export function isFromPage(c: Context): boolean {
  return c.req.header('origin') !== undefined || c.req.header('sec-fetch-site') !== undefined
}
