import type { GrpcCall, HttpCall } from '../model/call.ts'
import type { Destination } from '../model/destination.ts'
import type { Policy } from '../policy/policy.ts'

/** The same call as another destination reads it: its authority, else that of the request, and its scheme. */
export function addressedTo<Call extends HttpCall | GrpcCall>(call: Call, policy: Policy, { cluster, subset }: Destination, asked: string): Call {
  const there = policy.clusters[cluster]
  const part = subset === undefined ? undefined : there?.subsets[subset]
  const authority = part?.authority ?? there?.authority ?? asked
  return call.kind === 'http' ? { ...call, authority, scheme: there?.tls === undefined ? 'http' : 'https' } : { ...call, authority }
}
