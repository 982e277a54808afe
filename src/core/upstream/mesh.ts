import type { GrpcCall, HttpCall } from '../model/call.ts'
import { FieldList } from '../model/fields.ts'
import type { Fields } from '../model/wire.ts'
import type { Cluster } from '../policy/linked/clusters.ts'
import { grpcTimeout } from './deadline.ts'

/** How a call is handed to the sidecar. */
export interface HandOver {
  readonly sidecar: Cluster['sidecar']
  /** Linkerd's destination override: the service's authority with its port; from the policies, never from a request. */
  readonly destination: string
}

/**
 * Fields by which a mesh proxy is steered, by which it states an identity, or by which callers steer the ambassador. `receive` has
 * stripped what downstreams sent; here the last copy that a policy or a translation could have let through falls.
 */
function isControl(name: string): boolean {
  return (
    name.startsWith('x-envoy-') ||
    name.startsWith('l5d-') ||
    name.startsWith('x-egress-') ||
    name === 'x-forwarded-client-cert' ||
    name === 'grpc-timeout' ||
    name === 'host'
  )
}

/** Istio's and Consul's sidecars are Envoy. */
const isEnvoy: Readonly<Record<Cluster['sidecar'], boolean>> = { envoy: true, istio: true, consul: true, linkerd: false, none: false }

/**
 * The call as the sidecar expects it. `stated` is what the upstream is told about the time that is left, milliseconds; undefined where
 * the stream may run on. Envoy: `x-envoy-upstream-rq-timeout-ms`; Linkerd: `l5d-request-timeout` and, on every request,
 * `l5d-dst-override`; gRPC always: `grpc-timeout`. Where the gateway repeats by itself (`repeats`) the sidecar is told not to: two
 * layers of retries multiply.
 */
export function handOver<Call extends HttpCall | GrpcCall>(call: Call, stated: number | undefined, hand: HandOver, repeats = false): Call {
  const grpc = call.kind === 'grpc'
  const fields = uncontrolled(grpc ? call.metadata : call.headers)
  if (hand.sidecar === 'linkerd') fields.append('l5d-dst-override', hand.destination)
  if (repeats && isEnvoy[hand.sidecar]) fields.append('x-envoy-max-retries', '0')
  if (repeats && hand.sidecar === 'linkerd') fields.append('l5d-retry-limit', '0')
  if (stated !== undefined) {
    if (isEnvoy[hand.sidecar]) fields.append('x-envoy-upstream-rq-timeout-ms', `${stated}`)
    if (hand.sidecar === 'linkerd') fields.append('l5d-request-timeout', `${stated}ms`)
    if (grpc) fields.append('grpc-timeout', grpcTimeout(stated))
  }
  return { ...call, [grpc ? 'metadata' : 'headers']: fields }
}

function uncontrolled(fields: Fields): FieldList {
  const kept = new FieldList()
  fields.each((name, value) => {
    if (!isControl(name)) kept.append(name, value)
  })
  return kept
}
