import { z } from 'zod'
import { UsageError } from './command.ts'
import type { LimitKey } from './limit-key.ts'

/** For a gateway whose store is slow to answer. Milliseconds. */
const patienceMs = 10_000

const standing = z.object({
  limit: z.string(),
  key: z.string(),
  mode: z.enum(['enforce', 'audit']),
  quota: z.number(),
  remaining: z.number(),
  state: z.enum(['within', 'over']),
  resetMs: z.number(),
})

const standings = z.object({ limits: z.array(standing) })

const record = z.object({
  time: z.string(),
  event: z.literal('limit_reset'),
  by: z.string(),
  reason: z.string().optional(),
  peer: z.string().optional(),
  limit: z.string(),
  key: z.string(),
  quota: z.number(),
  remaining_before: z.number(),
  found: z.boolean(),
  remaining: z.number().optional(),
})

const refusal = z.object({ detail: z.string() })

/** A key of limits, asked of the gateway behind an admin listener. `words` and `limit` are read by its policies. */
export function createGatewayDesk(origin: string, words: readonly string[], limit: string | undefined): LimitKey {
  return {
    where: 'gateway',
    async standings() {
      const query = new URLSearchParams(words.map((word): [string, string] => ['key', word]))
      if (limit !== undefined) query.set('limit', limit)
      return (await ask(`${origin}/limits?${query.toString()}`, standings)).limits
    },
    reset: (name, who) =>
      ask(`${origin}/limits/reset`, record, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ limit: name, key: words, ...who }),
      }),
  }
}

/** @throws UsageError for what the gateway finds written wrong; Error when it does not answer, or cannot say. */
async function ask<T>(url: string, shape: z.ZodType<T>, how: RequestInit = {}): Promise<T> {
  const { origin } = new URL(url)
  const answer = await fetch(url, { ...how, redirect: 'error', signal: AbortSignal.timeout(patienceMs) }).catch((error: unknown) => {
    throw new Error(`no gateway answers at ${origin}: ${causeOf(error)}`, { cause: error })
  })
  const body: unknown = await answer.json().catch(() => undefined)
  const read = shape.safeParse(body)
  if (answer.ok && read.success) return read.data
  const detail = refusal.safeParse(body).data?.detail
  if (answer.status === 400 && detail !== undefined) throw new UsageError(detail)
  throw new Error(`${origin} answers ${answer.status}: ${detail ?? 'this is no admin listener of Sallyport'}`)
}

/** fetch itself says only that it failed. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}
