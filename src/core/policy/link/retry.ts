import type { Retry } from '../../model/retry.ts'
import type { RouteMatch } from '../../model/route.ts'
import { grpcConditions, type RetryDocument } from '../document/routes.ts'
import { kept } from '../kept.ts'
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
  for (const member of ['bodies', 'answers'] as const) checkKept(linking, entry, member, bytes(said[member] ?? '0B'))
  const known = new Set(grpc?.rpcs.map(({ method }) => method))
  if (known.size === 0) return
  for (const [i, rpc] of said.rpcs.entries()) {
    if (known.has(rpc)) continue
    const hint = suggestion(linking, rpc, known) ?? `It has ${Array.from(known).join(', ')}.`
    refuse(linking, entry, ['retry', 'rpcs', i], { code: 'name_unknown', message: `The service has no RPC "${rpc}".`, hint })
  }
}

/** What is kept is kept in memory, of every request under way. */
function checkKept<T>(linking: Linking, entry: Entry<T>, member: 'bodies' | 'answers', size: number): void {
  if (size <= kept.plenty) return
  const at = ['retry', member]
  const hint = 'Write 1MiB or less: what is larger flows as it comes, and is not sent again.'
  if (size > kept.most) refuse(linking, entry, at, { code: 'kept_too_much', message: 'More than 16 MiB of each request would be kept in memory.', hint })
  else
    warn(linking, entry, at, {
      code: 'kept_much',
      message: 'So much of each request under way may be kept in memory: times the cap of the cluster, 1024 unless it says otherwise.',
      hint,
    })
}

function warnCondition<T>(linking: Linking, entry: Entry<T>, i: number, why: string): void {
  warn(linking, entry, ['retry', 'on', i], { code: 'no_effect', message: `This condition has no effect: ${why}.`, hint: 'Remove it.' })
}
