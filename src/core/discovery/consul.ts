import * as z from 'zod'
import type { Lifeline } from '../model/lifeline.ts'
import { pause } from '../model/pause.ts'
import type { ConsulSource } from '../policy/linked/endpoints.ts'
import type { Discovery, Followed, Found } from '../ports.ts'
import { jsonOf, textOf } from './lines.ts'
import type { DiscoveryPorts } from './ports.ts'

type ConsulPorts = Pick<DiscoveryPorts, 'clock' | 'random' | 'follow' | 'secrets'>

/** How long Consul holds a question back for which there is no news; it adds up to a sixteenth of it (Consul, "Blocking Queries"). Seconds. */
const waitSeconds = 55
const patienceMs = (waitSeconds + waitSeconds / 16 + 5) * 1_000
/** Of a question that is answered at once, milliseconds. */
const quickMs = 10_000
/** Bytes. */
const largest = 16 * 1024 * 1024
/** Between two questions, milliseconds: after news, and after an answer that did not wait although there were none. */
const paceMs = { news: 100, same: 1_000 } as const

const texts = z.record(z.string(), z.string())
const locality = z.object({ Zone: z.string().optional() }).nullish()
const entries = z.array(
  z.object({
    Node: z.object({ Address: z.string(), Locality: locality }),
    Service: z.object({
      Address: z.string().nullish(),
      Port: z.int().min(0).max(65_535),
      Tags: z.array(z.string()).nullish(),
      Meta: texts.nullish(),
      Weights: z.object({ Passing: z.int(), Warning: z.int() }).nullish(),
      Locality: locality,
    }),
    Checks: z.array(z.object({ Status: z.string() })).nullish(),
  }),
)

/** Healthy instances of a service in Consul's catalogue, by blocking queries: a change is told when it happens. */
export function consulDiscovery(source: ConsulSource, ports: ConsulPorts): Discovery {
  /** What the next question says it knows; 0 for nothing. */
  let index = 0
  return {
    once: async (lifeline) => ({ found: (await ask(source, 0, lifeline, ports)).found }),
    async follow(tell, lifeline) {
      try {
        for (;;) {
          const asked = index
          const answer = await ask(source, asked, lifeline, ports)
          tell.set(answer.found)
          index = nextIndex(asked, answer.index)
          const news = index !== asked && index !== 0
          await pause(news ? paceMs.news : paceMs.same * (1 + ports.random.unit()), lifeline, ports.clock)
        }
      } catch (error) {
        // Whoever answers next may be another server: it is asked for all it knows.
        index = 0
        throw error
      }
    },
  }
}

/** An index that goes backwards, or is no index, starts anew (Consul, "Blocking Queries", implementation details). */
export function nextIndex(before: number, now: number): number {
  return !Number.isSafeInteger(now) || now < 1 || now < before ? 0 : now
}

async function ask(source: ConsulSource, index: number, lifeline: Lifeline, ports: ConsulPorts) {
  const token = source.token === undefined ? undefined : await ports.secrets.read(source.token)
  const patience = index === 0 ? quickMs : patienceMs
  const answer = await ports.follow({
    url: urlOf(source, index),
    headers: { accept: 'application/json', ...(token !== undefined && { 'x-consul-token': token }) },
    ca: source.ca,
    lifeline,
    timeoutMs: patience,
    idleMs: quickMs,
  })
  if (answer.status !== 200) throw new Error(await refusalOf(answer))
  const found = readInstances(jsonOf(await textOf(answer, largest)), source.passing)
  return { found, index: Number(answer.headers['x-consul-index'] ?? 0) }
}

function urlOf({ address, service, tag, datacenter, passing, stale }: ConsulSource, index: number): string {
  const query = new URLSearchParams()
  if (passing) query.set('passing', 'true')
  if (tag !== undefined) query.set('tag', tag)
  if (datacenter !== undefined) query.set('dc', datacenter)
  if (stale) query.set('stale', '')
  if (index > 0) {
    query.set('index', String(index))
    query.set('wait', `${waitSeconds}s`)
  }
  return `${address}/v1/health/service/${encodeURIComponent(service)}?${query}`
}

async function refusalOf(answer: Followed): Promise<string> {
  const said = await textOf(answer, 4_096).catch(() => '')
  const why = said.trim().split('\n', 1)[0]?.slice(0, 200) ?? ''
  return `it answers ${answer.status}${why === '' ? '' : ` (${why})`}`
}

/** Reads the answer of `/v1/health/service/:service`. Without `passing` instances that only warn count too, by their weight for that. @throws Error */
export function readInstances(said: unknown, passing: boolean): readonly Found[] {
  const read = entries.safeParse(said)
  if (!read.success) throw new Error(`its answer is no list of instances: ${read.error.issues[0]?.path.join('.')}`)
  return read.data.flatMap(({ Node, Service, Checks }): Found[] => {
    const states = (Checks ?? []).map(({ Status }) => Status)
    const warns = states.some((state) => state !== 'passing')
    const host = Service.Address === '' || Service.Address == null ? Node.Address : Service.Address
    if (states.some((state) => state !== 'passing' && (passing || state !== 'warning')) || Service.Port === 0 || host === '') return []
    const weight = Math.max(1, (warns ? Service.Weights?.Warning : Service.Weights?.Passing) ?? 1)
    const labels = { ...labelsOf(Service.Tags ?? []), ...Service.Meta }
    const zone = Service.Locality?.Zone ?? Node.Locality?.Zone ?? labels['zone']
    return [{ address: { kind: 'tcp', host, port: Service.Port }, weight, zone: zone === '' ? undefined : zone, labels }]
  })
}

/** The tag `version=v2` is the label version: v2; any other tag is a label that is "true". */
function labelsOf(tags: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    tags.map((tag) => {
      const at = tag.indexOf('=')
      return at > 0 ? [tag.slice(0, at), tag.slice(at + 1)] : [tag, 'true']
    }),
  )
}
