import { percentile } from '../report/statistics.ts'
import { Connection } from './connection.ts'
import { type LoadPlan, type LoadResult, wireRequests } from './plan.ts'

/** Time for what is still under way or due at the end. */
const graceMs = 2000

/**
 * Runs a plan. At a fixed rate a request is due on a clock of one millisecond and its latency counts from then, so that time it
 * waits for a free connection is not forgotten (what is known as coordinated omission).
 */
export async function generate(plan: LoadPlan): Promise<LoadResult> {
  const requests = wireRequests(plan)
  const latencies: number[] = []
  const due: number[] = []
  const free: Connection[] = []
  const sentFor = new Map<Connection, number>()
  let errors = 0
  let next = 0
  let over = false
  const idle = Promise.withResolvers<void>()

  const send = (connection: Connection, since: number): void => {
    sentFor.set(connection, since)
    connection.send(requests[next++ % requests.length] as Buffer)
  }
  const answered = (connection: Connection, status: number | undefined): void => {
    const now = performance.now()
    const since = sentFor.get(connection) ?? now
    sentFor.delete(connection)
    if (status !== undefined && status >= 200 && status <= 299) latencies.push(now - since)
    else errors += 1
    const waited = plan.rate === undefined && !over ? now : due.shift()
    if (waited !== undefined) send(connection, waited)
    else if (over && sentFor.size === 0) idle.resolve()
    else free.push(connection)
  }

  const connections = Array.from({ length: plan.connections }, () => new Connection(plan.port, answered))
  const startedAt = performance.now()
  free.push(...connections)
  let planned = 0
  const tick = (): void => {
    const now = performance.now()
    const wanted = plan.rate === undefined ? plan.connections : ((now - startedAt) / 1000) * plan.rate
    for (; planned < wanted; planned += 1) {
      const connection = free.pop()
      if (connection === undefined) due.push(now)
      else send(connection, now)
    }
  }
  tick()
  const clock = setInterval(tick, 1)
  await new Promise((done) => setTimeout(done, plan.seconds * 1000))
  clearInterval(clock)
  over = true
  const seconds = (performance.now() - startedAt) / 1000
  const late = setTimeout(() => idle.resolve(), graceMs)
  if (sentFor.size > 0) await idle.promise
  clearTimeout(late)
  errors += sentFor.size + due.length
  for (const connection of connections) connection.close()
  if (latencies.length === 0) return { requests: 0, seconds, errors, p50Ms: Number.NaN, p99Ms: Number.NaN }
  return { requests: latencies.length, seconds, errors, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) }
}
