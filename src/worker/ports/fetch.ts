import { waitUntil } from 'cloudflare:workers'
import type { Fetch, FetchRequest, FetchResponse } from '../../core/ports.ts'
import { bytesOf } from '../chunks.ts'

/**
 * The edge's own small requests (discovery, key sets). Redirects are answers like any other. The time counts from the start to the
 * last byte, the size is cut at the limit. What one request starts, others may wait for: it goes on when its own client has gone.
 * @throws Error for a URL that is not http(s), for an address guard or TLS settings, which this ground cannot keep, and for an answer that is late or too long.
 */
export const workerFetch: Fetch = (request) => {
  const answer = run(request)
  waitUntil(answer.catch(() => {}))
  return answer
}

async function run({ url, method, headers, body, timeoutMs, limit, vet, tls }: FetchRequest): Promise<FetchResponse> {
  if (vet !== undefined) throw new Error('a Worker cannot judge the address that a name resolves to')
  if (tls !== undefined) throw new Error('a Worker has no authorities or certificates of its own')
  if (!/^https?:/.test(url)) throw new Error('this is not a URL to fetch')
  const signal = AbortSignal.timeout(Math.max(1, timeoutMs))
  const response = await fetch(url, { method, headers, body: body ?? null, redirect: 'manual', signal })
  const bytes = response.body === null ? new Uint8Array() : await bytesOf(response.body, limit)
  return { status: response.status, headers: Object.fromEntries(response.headers), text: new TextDecoder().decode(bytes) }
}
