import { Connection } from '../load/connection.ts'
import type { ChaosRequest } from './scenario.ts'

/** One request. Times in milliseconds of `performance.now()`. */
export interface Sample {
  readonly tag: string
  /** When it was due, whether or not it could be sent then. */
  readonly due: number
  /** From then to the end of the answer; undefined when there was none. */
  readonly tookMs: number | undefined
  /** Undefined when the connection broke, or nothing came before the load ended. */
  readonly status: number | undefined
  /** Status line and fields. */
  readonly head: string
}

export type Samples = readonly Sample[]

/** Time for what is still under way at the end. */
const graceMs = 3000

export interface SteadyLoad {
  /** Stops asking, waits for what is under way, and tells of every request. */
  stop(): Promise<Samples>
}

/**
 * Requests at a fixed rate, whatever becomes of the ones before: each has a connection to itself until it is answered. Its time counts from when it was
 * due, so an answer that is late because others were is late all the same.
 */
export function startLoad(rate: number, request: (n: number) => ChaosRequest): SteadyLoad {
  const samples: Sample[] = []
  const idle = new Map<number, Connection[]>()
  const underWay = new Map<Connection, { readonly due: number; readonly asked: ChaosRequest }>()
  const startedAt = performance.now()
  let count = 0

  const answered = (connection: Connection, status: number | undefined, head: string): void => {
    const sent = underWay.get(connection)
    if (sent === undefined) return
    underWay.delete(connection)
    const { due, asked } = sent
    samples.push({ tag: asked.tag, due, tookMs: status === undefined ? undefined : performance.now() - due, status, head })
    if (status === undefined) connection.close()
    else idleAt(idle, asked.port).push(connection)
  }
  const tick = (): void => {
    for (let due = startedAt + (count * 1000) / rate; due <= performance.now(); due = startedAt + (count * 1000) / rate) {
      const asked = request(count++)
      const connection = idleAt(idle, asked.port).pop() ?? new Connection(asked.port, answered)
      underWay.set(connection, { due, asked })
      connection.send(wire(asked))
    }
  }
  const clock = setInterval(tick, 1)
  return {
    async stop() {
      clearInterval(clock)
      const deadline = performance.now() + graceMs
      while (underWay.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
      for (const [connection, { due, asked }] of underWay) {
        samples.push({ tag: asked.tag, due, tookMs: undefined, status: undefined, head: '' })
        connection.close()
      }
      for (const connections of idle.values()) for (const connection of connections) connection.close()
      return samples
    },
  }
}

function idleAt(idle: Map<number, Connection[]>, port: number): Connection[] {
  const found = idle.get(port)
  if (found !== undefined) return found
  const fresh: Connection[] = []
  idle.set(port, fresh)
  return fresh
}

function wire({ port, method = 'GET', path, headers }: ChaosRequest): Buffer {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${fields.join('')}\r\n`)
}
