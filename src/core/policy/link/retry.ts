import type { Retry } from '../../model/retry.ts'
import type { RouteMatch } from '../../model/route.ts'
import { grpcConditions, type RetryDocument } from '../document/routes.ts'
import { type Entry, type Linking, refuse, suggestion, warn } from './linking.ts'
import { bytes, ms, share } from './values.ts'

const grpcOnly: ReadonlySet<unknown> = new Set(grpcConditions)

/** Links `retry` of a route or an egress service. */
export function linkRetry(said: RetryDocument | undefined): Retry | undefined {
  if (said === undefined) return undefined
  return {
    attempts: said.attempts,
    on: said.on,
    budget: share(said.budget),
    methods: said.methods,
    withIdempotencyKey: said.withIdempotencyKey,
    maxRetryAfterMs: ms(said.maxRetryAfter),
    perTryMs: said.perTry === undefined ? undefined : ms(said.perTry),
    rpcs: said.rpcs,
    bodies: bytes(said.bodies),
    answers: said.answers === undefined ? undefined : bytes(said.answers),
  }
}

/** Conditions that the upstream never meets, and RPCs that are not there. */
export function checkRetry<T>(linking: Linking, entry: Entry<T>, grpc: RouteMatch['grpc'], said: RetryDocument): void {
  for (const [i, condition] of said.on.entries()) {
    if (grpc === undefined && grpcOnly.has(condition)) warnCondition(linking, entry, i, `"${condition}" is a gRPC code, and there are no RPCs here`)
    if (grpc !== undefined && typeof condition === 'number') warnCondition(linking, entry, i, `${condition} is an HTTP status, and RPCs end with gRPC codes`)
  }
  const idle =
    said.answers === undefined
      ? undefined
      : grpc !== undefined
        ? 'answers of RPCs are not held back'
        : said.on.includes('reset')
          ? undefined
          : '"on" lacks reset'
  if (idle !== undefined)
    warn(linking, entry, ['retry', 'answers'], { code: 'no_effect', message: `"answers" has no effect: ${idle}.`, hint: 'Remove it.', which: 'key' })
  if (grpc === undefined && said.rpcs.length > 0)
    warn(linking, entry, ['retry', 'rpcs'], {
      code: 'no_effect',
      message: '"rpcs" has no effect: there are no RPCs here.',
      hint: 'Remove it, or write methods.',
      which: 'key',
    })
  const known = new Set(grpc?.rpcs.map(({ method }) => method))
  if (known.size === 0) return
  for (const [i, rpc] of said.rpcs.entries()) {
    if (known.has(rpc)) continue
    const hint = suggestion(linking, rpc, known) ?? `It has ${Array.from(known).join(', ')}.`
    refuse(linking, entry, ['retry', 'rpcs', i], { code: 'name_unknown', message: `The service has no RPC "${rpc}".`, hint })
  }
}

function warnCondition<T>(linking: Linking, entry: Entry<T>, i: number, why: string): void {
  warn(linking, entry, ['retry', 'on', i], { code: 'no_effect', message: `This condition has no effect: ${why}.`, hint: 'Remove it.' })
}
