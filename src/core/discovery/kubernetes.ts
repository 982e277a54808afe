import type { Lifeline } from '../model/lifeline.ts'
import { pause } from '../model/pause.ts'
import type { KubernetesSource } from '../policy/linked/endpoints.ts'
import type { Discovery, DiscoveryTell, Followed } from '../ports.ts'
import { jsonOf, linesOf, textOf } from './lines.ts'
import type { DiscoveryPorts } from './ports.ts'
import { endpointsOf, readEvent, readPage, type Slice } from './slices.ts'

type KubernetesPorts = Pick<DiscoveryPorts, 'clock' | 'random' | 'follow' | 'secrets'>

/** Slices a page of the first list. */
const pageSize = 500
const mostPages = 100
/** Bytes of a page, characters of an event: a slice has at most 1,000 endpoints. */
const largest = 16 * 1024 * 1024
/** Until an answer begins, milliseconds. */
const patienceMs = 10_000
/** A watch is ended by the server after about this long, so that one that hangs is noticed. Seconds. */
const watchSeconds = 90
/** A watch that is over sooner is taken for no watch, milliseconds. */
const shortestMs = 1_000

/** What is known: slices by name, and up to which version of the collection. */
interface Known {
  readonly slices: Map<string, Slice>
  version: string
}

/**
 * Ready endpoints of a Kubernetes service, from its EndpointSlices: a list, then a watch from there (Kubernetes API concepts, "Efficient
 * detection of changes"). A watch that ends or breaks is taken up where it was; one whose beginning is too old (410 Gone) begins with a new list.
 */
export function kubernetesDiscovery(source: KubernetesSource, ports: KubernetesPorts): Discovery {
  let known: Known | undefined
  return {
    once: async (lifeline) => ({ found: endpointsOf((await list(source, lifeline, ports)).slices.values(), source.port) }),
    async follow(tell, lifeline) {
      for (;;) {
        if (known === undefined) {
          known = await list(source, lifeline, ports)
          tell.set(endpointsOf(known.slices.values(), source.port))
        }
        const began = ports.clock.ticks()
        const end = await watch(source, known, tell, lifeline, ports).catch((error: unknown) => {
          // What was understood is kept; something that was not may be missing from it.
          if (error instanceof Misunderstood) known = undefined
          throw error
        })
        if (end === 'expired') known = undefined
        // A server that ends every watch at once is not asked without a pause.
        if (ports.clock.ticks() - began < shortestMs) await pause(shortestMs * (0.5 + ports.random.unit()), lifeline, ports.clock)
      }
    },
  }
}

/** Something came that could not be read. */
class Misunderstood extends Error {}

async function list(source: KubernetesSource, lifeline: Lifeline, ports: KubernetesPorts): Promise<Known> {
  const slices = new Map<string, Slice>()
  let next: string | undefined
  for (let pages = 0; pages < mostPages; pages += 1) {
    const query: Record<string, string> = { limit: String(pageSize), ...(next !== undefined && { continue: next }) }
    const answer = await get(source, query, patienceMs, lifeline, ports)
    if (answer.status !== 200) throw new Error(await refusalOf(answer))
    const page = readPage(jsonOf(await textOf(answer, largest)))
    for (const one of page.slices) slices.set(one.metadata.name, one)
    if (page.next === undefined) return { slices, version: page.version }
    next = page.next
  }
  throw new Error(`its list has more than ${mostPages} pages`)
}

async function watch(source: KubernetesSource, known: Known, tell: DiscoveryTell, lifeline: Lifeline, ports: KubernetesPorts): Promise<'ended' | 'expired'> {
  const seconds = watchSeconds + Math.floor(ports.random.unit() * 60)
  const query = { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: known.version, timeoutSeconds: String(seconds) }
  const answer = await get(source, query, (seconds + 15) * 1_000, lifeline, ports)
  if (answer.status === 410) return 'expired'
  if (answer.status !== 200) throw new Error(await refusalOf(answer))
  tell.alive()
  for await (const line of linesOf(answer, largest)) {
    const news = understood(line)
    if (news.kind === 'expired') return 'expired'
    if (news.kind === 'put') known.slices.set(news.slice.metadata.name, news.slice)
    if (news.kind === 'delete') known.slices.delete(news.slice.metadata.name)
    known.version = news.version ?? known.version
    if (news.kind === 'bookmark') tell.alive()
    else tell.set(endpointsOf(known.slices.values(), source.port))
  }
  return 'ended'
}

function understood(line: string): ReturnType<typeof readEvent> {
  try {
    return readEvent(jsonOf(line))
  } catch (error) {
    throw new Misunderstood(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

async function get(
  source: KubernetesSource,
  query: Readonly<Record<string, string>>,
  idleMs: number,
  lifeline: Lifeline,
  ports: KubernetesPorts,
): Promise<Followed> {
  const { apiServer, namespace, service, ca } = source
  // Read every time: the token of a service account is replaced while the gateway runs.
  const token = source.token === undefined ? undefined : await ports.secrets.read(source.token)
  const search = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${service}`, ...query })
  return ports.follow({
    url: `${apiServer}/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?${search}`,
    headers: { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    ca,
    lifeline,
    timeoutMs: patienceMs,
    idleMs,
  })
}

async function refusalOf(answer: Followed): Promise<string> {
  const said = await textOf(answer, 64 * 1024).catch(() => '')
  const why = /"message":\s*"([^"]{1,200})/.exec(said)?.[1]
  return `it answers ${answer.status}${why === undefined ? '' : ` (${why})`}`
}
