import type { CassetteUse } from '../../model/egress-target.ts'
import type { Placed } from '../../model/exchange.ts'
import { pairsOf, recordBody } from './body.ts'
import type { Cleaner } from './clean.ts'
import type { RecordedRequest } from './interaction.ts'

/** The most that is read of a request for a cassette, bytes. */
export const recordedRequestBytes = 1 << 20

/** What a request is known by, while it is recorded and while it is looked for. */
export function recordRequest({ request }: Placed, body: Uint8Array | undefined, use: CassetteUse, clean: Cleaner): RecordedRequest {
  const headers = use.headers
    .toSorted()
    .flatMap((name) => (request.headers.has(name) ? [[name, clean.header(name, request.headers.all(name).join(', '))] as const] : []))
  const recorded = use.body ? recordBody(body, request.headers.get('content-type'), clean) : undefined
  return {
    method: request.method,
    path: clean.text(request.target.path),
    query: pairsOf(request.target.query, clean),
    headers,
    ...(recorded === undefined ? {} : { body: recorded }),
  }
}
