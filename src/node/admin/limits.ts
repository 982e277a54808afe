import type { Context, Hono } from 'hono'
import { normalizeAddress } from '../../core/net.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { countedIn, KeyProblem, type LimitBook, type LimitReset, resetOf, standingOf } from '../counters.ts'
import { isFromPage, problem } from './refusal.ts'

export interface LimitRoutes {
  /** Of the gateway: what its limits count in. */
  readonly book: LimitBook
  /** Writes down who reset what. */
  readonly audit: (record: LimitReset) => void
  /** Wall time, milliseconds. */
  readonly now: () => number
}

/** More than the longest key that anybody writes. Bytes. */
const mostBody = 16_384

/** Looks at what limits have counted for a key, and gives it back: `GET /limits`, `POST /limits/reset`. */
export function addLimits(app: Hono, policy: () => Promise<Policy>, { book, audit, now }: LimitRoutes): void {
  app.get('/limits', (c) =>
    answered(async () => {
      const { limit, keys } = readQuery(new URL(c.req.url).searchParams)
      const counted = countedIn(await policy(), keys, limit)
      return c.json({ limits: await Promise.all(counted.map((one) => standingOf(one, book))) })
    }),
  )
  app.post('/limits/reset', async (c) => {
    if (isFromPage(c)) return problem('forbidden', 'this is not for web pages')
    if (!/^application\/json(?:\s*;|$)/i.test(c.req.header('content-type') ?? '')) return problem('media_type_unsupported', 'the body is application/json')
    const text = await textOf(c.req.raw)
    if (text === undefined) return problem('body_too_large', `the body is longer than ${mostBody} bytes`)
    return answered(async () => {
      // The library for it comes with the first reset: most processes never see one.
      const { readReset } = await import('./reset-body.ts')
      const { limit, key, by, reason } = readReset(text)
      const [one] = countedIn(await policy(), typeof key === 'string' ? [key] : key, limit)
      if (one === undefined) throw new KeyProblem(`${limit} has no such key`)
      const record = await resetOf(one, book, { by, reason, peer: peerOf(c) }, now())
      audit(record)
      return record.failed === undefined ? c.json(record) : unanswered(record.failed)
    })
  })
}

/** What is written wrong is named; when nobody can be asked, that is said. */
async function answered(run: () => Promise<Response>): Promise<Response> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof KeyProblem) return problem('request_invalid', error.message)
    return unanswered(error instanceof Error ? error.message : String(error))
  }
}

function unanswered(why: string): Response {
  return problem('limiter_unavailable', `where the limits are counted, nobody answers: ${why}`)
}

/** @throws KeyProblem naming the parameter that is wrong */
function readQuery(query: URLSearchParams): { readonly limit: string | undefined; readonly keys: readonly string[] } {
  for (const name of query.keys()) if (name !== 'limit' && name !== 'key') throw new KeyProblem(`there is no parameter "${name}": limit and key are all`)
  const [limit, ...more] = query.getAll('limit')
  if (more.length > 0) throw new KeyProblem('limit is given twice')
  return { limit, keys: query.getAll('key') }
}

/** Undefined when it is too long. */
async function textOf({ body }: Request): Promise<string | undefined> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body ?? []) {
    length += piece.length
    if (length > mostBody) return undefined
    pieces.push(piece)
  }
  return new TextDecoder().decode(Buffer.concat(pieces))
}

/** The address of whoever asks; undefined where the app is asked without a socket. */
function peerOf({ env }: Context): string | undefined {
  const bindings = env as { readonly incoming?: { readonly socket: { readonly remoteAddress?: string } } } | undefined // as the Node server gives them
  const address = bindings?.incoming?.socket.remoteAddress
  return address === undefined ? undefined : normalizeAddress(address)
}
