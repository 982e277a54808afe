import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Keep } from './keep.ts'
import { openScriptServer, type ScriptServer } from './script-server.ts'

export interface Instance {
  readonly host: string
  readonly port: number
  readonly status?: 'passing' | 'warning' | 'critical'
  readonly tags?: readonly string[]
  readonly meta?: Readonly<Record<string, string>>
  readonly weights?: { readonly Passing: number; readonly Warning: number }
  readonly zone?: string
}

/** `/v1/health/service/:service` of Consul's HTTP API as it is documented: blocking queries by index, `passing`, `tag`. */
export interface FakeConsul extends ScriptServer {
  /** Registers these instances, and raises the index: whoever waits is answered. */
  register(instances: readonly Instance[]): void
  /** Sets the index, as a restored snapshot does. */
  setIndex(index: number): void
  /** Whether somebody waits for news. */
  readonly waiting: number
  readonly tokens: readonly (string | undefined)[]
  /** Answers by the rules again. */
  recover(): void
}

export async function openConsul(keep: Keep, first: readonly Instance[]): Promise<FakeConsul> {
  let instances = first
  let index = 10
  const tokens: (string | undefined)[] = []
  const waiting = new Set<() => void>()
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://consul')
    tokens.push(request.headers['x-consul-token'] as string | undefined) // it is sent once
    const tell = () => {
      waiting.delete(tell)
      const tag = url.searchParams.get('tag')
      const shown = instances.filter(
        ({ status = 'passing', tags = [] }) => (!url.searchParams.has('passing') || status === 'passing') && (tag === null || tags.includes(tag)),
      )
      response.writeHead(200, {
        'content-type': 'application/json',
        'x-consul-index': String(index),
        'x-consul-knownleader': 'true',
        'x-consul-lastcontact': '0',
      })
      response.end(JSON.stringify(shown.map(entryOf)))
    }
    if (Number(url.searchParams.get('index') ?? 0) !== index) return tell()
    waiting.add(tell)
    response.on('close', () => waiting.delete(tell))
    return undefined
  }
  const server = await openScriptServer(keep, answer)
  const release = () => {
    for (const tell of waiting) tell()
  }
  return {
    ...server,
    tokens,
    get waiting() {
      return waiting.size
    },
    register(next) {
      instances = next
      index += 1
      release()
    },
    setIndex(next) {
      index = next
      release()
    },
    recover: () => server.say(answer),
  }
}

/** Fields as in the documentation of the API ("List Service Instances for Service"). */
export function entryOf({ host, port, status = 'passing', tags = [], meta = {}, weights = { Passing: 1, Warning: 1 }, zone }: Instance): object {
  return {
    Node: {
      ID: '40e4a748-2192-161a-0510-9bf59fe950b5',
      Node: 'foobar',
      Address: '10.1.10.12',
      Datacenter: 'dc1',
      TaggedAddresses: { lan: '10.1.10.12', wan: '10.1.10.12' },
      Meta: { instance_type: 't2.medium' },
      ...(zone !== undefined && { Locality: { Region: 'eu', Zone: zone } }),
    },
    Service: { ID: `orders-${host}-${port}`, Service: 'orders', Tags: tags, Address: host, Meta: meta, Port: port, Weights: weights, Namespace: 'default' },
    Checks: [
      { Node: 'foobar', CheckID: 'serfHealth', Name: 'Serf Health Status', Status: 'passing', ServiceID: '', ServiceName: '' },
      { Node: 'foobar', CheckID: 'service:orders', Name: "Service 'orders' check", Status: status, ServiceID: 'orders', ServiceName: 'orders' },
    ],
  }
}
