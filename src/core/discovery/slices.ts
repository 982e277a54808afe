import * as z from 'zod'
import type { KubernetesSource } from '../policy/linked/endpoints.ts'
import type { Found } from '../ports.ts'

const texts = z.record(z.string(), z.string())

/** discovery.k8s.io/v1 EndpointSlice, as far as it is read. */
const slice = z.object({
  metadata: z.object({ name: z.string().min(1), resourceVersion: z.string().optional(), labels: texts.nullish() }),
  addressType: z.string(),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()).min(1),
        conditions: z.object({ ready: z.boolean().nullish(), serving: z.boolean().nullish(), terminating: z.boolean().nullish() }).nullish(),
        hostname: z.string().nullish(),
        nodeName: z.string().nullish(),
        zone: z.string().nullish(),
      }),
    )
    .nullish(),
  ports: z.array(z.object({ name: z.string().nullish(), port: z.int().min(1).max(65_535).nullish(), protocol: z.string().nullish() })).nullish(),
})

const page = z.object({
  metadata: z.object({ resourceVersion: z.string().min(1), continue: z.string().optional() }),
  items: z.array(slice).nullish(),
})

const status = z.object({ code: z.int().nullish(), reason: z.string().nullish(), message: z.string().nullish() })
const event = z.object({ type: z.string(), object: z.unknown() })
const bookmark = z.object({ metadata: z.object({ resourceVersion: z.string().min(1) }) })

export type Slice = z.output<typeof slice>

export interface SlicePage {
  readonly slices: readonly Slice[]
  readonly version: string
  /** Where the next page is. */
  readonly next: string | undefined
}

/** What happened in a watch. `expired`: what it began with is too old (410 Gone). */
export type SliceEvent =
  | { readonly kind: 'put' | 'delete'; readonly slice: Slice; readonly version: string | undefined }
  | { readonly kind: 'bookmark'; readonly version: string }
  | { readonly kind: 'expired' }

/** Reads an EndpointSliceList. @throws Error */
export function readPage(said: unknown): SlicePage {
  const { metadata, items } = checked(page, said, 'list of EndpointSlices')
  return { slices: items ?? [], version: metadata.resourceVersion, next: metadata.continue === '' ? undefined : metadata.continue }
}

/** Reads one line of a watch. @throws Error for what is none, and for an ERROR that is not 410. */
export function readEvent(said: unknown): SliceEvent {
  const { type, object } = checked(event, said, 'watch event')
  if (type === 'ERROR') {
    const { code, reason, message } = checked(status, object, 'status')
    if (code === 410 || reason === 'Expired' || reason === 'Gone') return { kind: 'expired' }
    throw new Error(`the watch ended: ${code ?? ''} ${reason ?? message ?? ''}`.trim())
  }
  if (type === 'BOOKMARK') return { kind: 'bookmark', version: checked(bookmark, object, 'bookmark').metadata.resourceVersion }
  const read = checked(slice, object, 'EndpointSlice')
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') throw new Error(`the watch says ${JSON.stringify(type.slice(0, 40))}, which is no event`)
  return { kind: type === 'DELETED' ? 'delete' : 'put', slice: read, version: read.metadata.resourceVersion }
}

function checked<T extends z.ZodType>(shape: T, said: unknown, what: string): z.output<T> {
  const read = shape.safeParse(said)
  if (!read.success) throw new Error(`its answer is no ${what}: ${read.error.issues[0]?.path.join('.')}`)
  return read.data
}

interface Sliced {
  readonly found: Found
  readonly family: string
  /** `leaving`: it ends, and still serves. */
  readonly state: 'ready' | 'leaving'
}

/**
 * The endpoints that all slices of a service name. Ready ones count; when there is none, those that end but still serve (as kube-proxy does).
 * Of a service with two address families IPv4 counts where it has any: both lead to the same pods. An endpoint may be in two slices while it moves.
 */
export function endpointsOf(slices: Iterable<Slice>, port: KubernetesSource['port']): readonly Found[] {
  const all = [...slices].flatMap((one) => slicedIn(one, port))
  const ready = all.filter(({ state }) => state === 'ready')
  const usable = ready.length > 0 ? ready : all
  const ipv4 = usable.filter(({ family }) => family === 'IPv4')
  return (ipv4.length > 0 ? ipv4 : usable).map(({ found }) => found)
}

function slicedIn({ metadata, addressType, endpoints, ports }: Slice, port: KubernetesSource['port']): readonly Sliced[] {
  const number = (ports ?? []).find(
    (one) => (one.protocol ?? 'TCP') === 'TCP' && (typeof port === 'number' ? one.port === port : (one.name ?? '') === port),
  )?.port
  if (number == null) return []
  return (endpoints ?? []).flatMap(({ addresses, conditions, nodeName, hostname, zone }): Sliced[] => {
    // All addresses of one endpoint mean the same; only the first is used (EndpointSlice API). A condition that is not stated holds.
    const [host = ''] = addresses
    const leaving = conditions?.terminating === true
    const ready = (conditions?.ready ?? true) && !leaving
    if (!ready && !(leaving && (conditions?.serving ?? false))) return []
    const labels = { ...metadata.labels, ...(nodeName != null && { node: nodeName }), ...(hostname != null && { hostname }) }
    const found: Found = { address: { kind: 'tcp', host, port: number }, weight: 1, zone: zone ?? undefined, labels }
    return [{ found, family: addressType, state: ready ? 'ready' : 'leaving' }]
  })
}
