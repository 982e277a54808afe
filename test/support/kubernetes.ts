import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Keep } from './keep.ts'
import { openScriptServer, type ScriptServer } from './script-server.ts'

export interface SliceInput {
  readonly name: string
  readonly addressType?: 'IPv4' | 'IPv6'
  readonly endpoints: readonly {
    readonly address: string
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
    readonly zone?: string
    readonly nodeName?: string
  }[]
  readonly ports?: readonly { readonly name: string; readonly port: number }[]
  readonly labels?: Readonly<Record<string, string>>
}

/**
 * EndpointSlices of one service as the Kubernetes API serves them ("Kubernetes API Concepts"): list with pages, watch from a version, bookmarks,
 * 410 Gone for versions that are compacted away.
 */
export interface FakeKubernetes extends ScriptServer {
  put(slice: SliceInput): void
  remove(name: string): void
  /** Tells all watches how far they are. */
  bookmark(): void
  /** Forgets the past: watches from before it get 410, as a status or as an event. */
  compact(how: 'status' | 'event'): void
  /** Sends any text into every watch. */
  send(text: string): void
  readonly watches: number
  readonly tokens: readonly (string | undefined)[]
  recover(): void
}

export async function openKubernetes(
  keep: Keep,
  first: readonly SliceInput[],
  pageSize = 500,
  tls?: Parameters<typeof openScriptServer>[2],
): Promise<FakeKubernetes> {
  let version = 100
  let oldest = 0
  let gone: 'status' | 'event' = 'status'
  const slices = new Map<string, { readonly slice: SliceInput; readonly version: number }>()
  const history: { readonly version: number; readonly event: object }[] = []
  const watches = new Set<ServerResponse>()
  const tokens: (string | undefined)[] = []
  for (const slice of first) slices.set(slice.name, { slice, version })

  const tell = (type: string, slice: SliceInput) => {
    version += 1
    const event = { type, object: sliceOf(slice, version) }
    history.push({ version, event })
    for (const watch of watches) watch.write(`${JSON.stringify(event)}\n`)
  }
  const list = (url: URL, response: ServerResponse) => {
    const all = [...slices.values()]
    const from = Number(url.searchParams.get('continue') ?? 0)
    const items = all.slice(from, from + pageSize).map((one) => sliceOf(one.slice, one.version))
    const more = from + pageSize < all.length ? { continue: String(from + pageSize), remainingItemCount: all.length - from - pageSize } : {}
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({ kind: 'EndpointSliceList', apiVersion: 'discovery.k8s.io/v1', metadata: { resourceVersion: String(version), ...more }, items }),
    )
  }
  const watch = (url: URL, response: ServerResponse) => {
    const since = Number(url.searchParams.get('resourceVersion'))
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: `too old resource version: ${since} (${oldest})`,
      reason: 'Expired',
      code: 410,
    }
    if (since < oldest && gone === 'status') {
      response.writeHead(410, { 'content-type': 'application/json' })
      response.end(JSON.stringify(status))
      return
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    if (since < oldest) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)
      return
    }
    for (const past of history) if (past.version > since) response.write(`${JSON.stringify(past.event)}\n`)
    watches.add(response)
    response.on('close', () => watches.delete(response))
  }
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://kubernetes')
    tokens.push(request.headers.authorization)
    if (
      url.pathname !== '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices' ||
      url.searchParams.get('labelSelector') !== 'kubernetes.io/service-name=orders'
    )
      return void response.writeHead(404).end()
    return url.searchParams.get('watch') === 'true' ? watch(url, response) : list(url, response)
  }
  const server = await openScriptServer(keep, answer, tls)
  return {
    ...server,
    tokens,
    get watches() {
      return watches.size
    },
    put(slice) {
      const type = slices.has(slice.name) ? 'MODIFIED' : 'ADDED'
      slices.set(slice.name, { slice, version: version + 1 })
      tell(type, slice)
    },
    remove(name) {
      const there = slices.get(name)
      if (there === undefined) throw new Error(`no slice ${name}`)
      slices.delete(name)
      tell('DELETED', there.slice)
    },
    bookmark() {
      for (const one of watches)
        one.write(
          `${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'EndpointSlice', apiVersion: 'discovery.k8s.io/v1', metadata: { resourceVersion: String(version) } } })}\n`,
        )
    },
    compact(how) {
      gone = how
      version += 1
      oldest = version
      history.length = 0
    },
    send(text) {
      for (const one of watches) one.write(text)
    },
    recover: () => server.say(answer),
  }
}

function sliceOf({ name, addressType = 'IPv4', endpoints, ports = [{ name: 'http', port: 8080 }], labels = {} }: SliceInput, version: number): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', resourceVersion: String(version), labels: { 'kubernetes.io/service-name': 'orders', ...labels } },
    addressType,
    ports: ports.map((port) => ({ ...port, protocol: 'TCP' })),
    endpoints: endpoints.map(({ address, conditions = { ready: true, serving: true, terminating: false }, ...facts }) => ({
      addresses: [address],
      conditions,
      ...facts,
    })),
  }
}
