import * as z from 'zod'
import { parseDuration } from '../../core/policy/units.ts'

/** A switch that nobody remembers is none that anybody wants. Milliseconds. */
const longestTtlMs = 7 * 86_400_000

const words = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}]*$/u, 'no control characters')

const body = z
  .strictObject({
    environment: words(64).optional(),
    back: z.literal(true).optional(),
    by: words(200),
    reason: words(500),
    ttl: z
      .string()
      .refine((text) => isTtl(parseDuration(text)), 'a time of at least 1s and at most 7d, such as 1h')
      .optional(),
    dryRun: z.boolean().optional(),
  })
  .refine(({ environment, back }) => (environment === undefined) !== (back === undefined), 'either environment, or back: true')
  .refine(({ ttl, back }) => ttl === undefined || back === undefined, 'ttl has no meaning with back: true')

/** Who switches a service, why and where to. */
export type SwitchBody = z.output<typeof body>

/** Reads what was sent; a text says what is wrong with it. */
export function readSwitch(said: unknown): SwitchBody | string {
  const read = body.safeParse(said)
  return read.success ? read.data : problemsOf(read.error)
}

function problemsOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)).join('; ')
}

function isTtl(ms: number | undefined): boolean {
  return ms !== undefined && ms >= 1000 && ms <= longestTtlMs
}
