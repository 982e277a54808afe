import type { BenchRequest } from '../model.ts'

/** What a load generator does. */
export interface LoadPlan {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  readonly request: BenchRequest
  /** Bearer tokens, taken in turn. */
  readonly tokens: readonly string[]
  /** Requests per second; undefined: each connection sends its next request when it has the answer to the last. */
  readonly rate: number | undefined
}

/** What it saw. Percentiles are over all answers. */
export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Connections that broke, answers that never came, and answers with a status other than 2xx. */
  readonly errors: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** The requests of a plan as they go over the wire, one per token. */
export function wireRequests({ request, port, tokens }: LoadPlan): readonly Buffer[] {
  const length = request.body === '' ? [] : [`content-length: ${Buffer.byteLength(request.body)}`]
  const fields = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`)
  return tokens.map((token) =>
    Buffer.from(
      [`${request.method} ${request.path} HTTP/1.1`, `host: 127.0.0.1:${port}`, ...fields, `authorization: Bearer ${token}`, ...length, '', request.body].join(
        '\r\n',
      ),
    ),
  )
}
