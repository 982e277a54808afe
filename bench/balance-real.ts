import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { freePort } from '../test/support/redis.ts'
import { until } from '../test/support/until.ts'
import { openChildren } from './harness/children.ts'
import { type Gateway, startFleet } from './harness/fleet.ts'
import { type Keep, keeping } from './harness/keep.ts'
import { scratchFolder } from './harness/scratch.ts'
import { spreadOf } from './report/statistics.ts'
import { columns } from './report/table.ts'

/*
 * Who gets the requests, with a real clock: gateway and services are processes of their own. One of three endpoints ten times slower than the others; an
 * endpoint that joins, with slow start; keys that move when one of five leaves. `node bench/balance-real.ts [--seconds 8]`; exit status 1 when the slow
 * one gets 2 % or more, the newcomer is not within five points of its ramp, or more keys move than 1/n + 2 %.
 */
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '8' } } })
const seconds = Number(values.seconds)
const backend = fileURLToPath(new URL('programs/named-backend.ts', import.meta.url))
const access = { rules: [{ id: 'all', allow: { anonymous: true } }] }

/** Milliseconds that endpoints take, on average. */
const [usualMs, slowMs] = [50, 500]
const together = [8, 16, 32] as const
const rampMs = 5_000
const keys = 5_000

async function startServices(keep: Keep, takesMs: number, count: number): Promise<readonly number[]> {
  const children = openChildren()
  keep(() => children.closeAll())
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  children.spawn(process.execPath, [backend, `${takesMs}`, ...ports.map(String)], undefined)
  await until(() => Promise.all(ports.map((port) => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text()))))
  return ports
}

/** Asks for each in turn, so many at a time: the names of those who answered. */
async function ask<T>(
  gateway: Gateway,
  each: readonly T[],
  atATime: number,
  of: (one: T) => { readonly path: string; readonly key?: string },
): Promise<readonly string[]> {
  const agent = new Agent({ connections: atATime })
  const names: string[] = []
  let next = 0
  const work = async () => {
    while (next < each.length) {
      const i = next++
      const { path, key } = of(each[i] as T) // within the list
      const answer = await request(`http://127.0.0.1:${gateway.port}${path}`, { dispatcher: agent, headers: key === undefined ? {} : { 'x-key': key } })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`)
      names[i] = text
    }
  }
  await Promise.all(Array.from({ length: atATime }, work))
  await agent.destroy()
  return names
}

async function one(keep: Keep, clusters: Readonly<Record<string, object>>): Promise<Gateway> {
  const routes = Object.fromEntries(Object.keys(clusters).map((name) => [name, { match: { path: `/${name}` }, access, to: name }]))
  const { gateways } = await startFleet(1, { clusters, routes }, keep)
  const [gateway] = gateways
  if (gateway === undefined) throw new Error('no gateway')
  return gateway
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`

/** The share of the slow endpoint, all from the first request on. Each run has a gateway of its own, which knows nothing yet. */
async function slowOne(): Promise<boolean> {
  const rows: (readonly string[])[] = [['one of three is ten times slower', ...together.map((count) => `${count} at a time`)]]
  let good = true
  for (const balance of ['least_request', 'peak_ewma']) {
    const shares: number[] = []
    for (const atATime of together) shares.push(await keeping((keep) => shareOfSlow(balance, atATime, keep)))
    good &&= shares.every((share) => share < 0.02)
    rows.push([balance, ...shares.map(percent)])
  }
  process.stdout.write(`${columns(rows)}\n\n`)
  return good
}

async function shareOfSlow(balance: string, atATime: number, keep: Keep): Promise<number> {
  const [slow = 0] = await startServices(keep, slowMs, 1)
  const all = [slow, ...(await startServices(keep, usualMs, 1)), ...(await startServices(keep, usualMs, 1))]
  const gateway = await one(keep, { web: { endpoints: { static: all.map((port) => `127.0.0.1:${port}`) }, balance } })
  // So many as the two others answer in that time.
  const count = Math.round((seconds * 1_000 * atATime) / usualMs)
  const names = await ask(gateway, Array.from({ length: count }), atATime, () => ({ path: '/web' }))
  return names.filter((name) => name === `${slow}`).length / names.length
}

async function writeList(path: string, ports: readonly number[]): Promise<void> {
  await writeFile(`${path}.next`, JSON.stringify(ports.map((port) => `127.0.0.1:${port}`)))
  await rename(`${path}.next`, path)
}

/** The share of an endpoint that joins two others, second by second, and what its ramp says: a tenth of its weight, growing to all of it. */
async function newcomer(): Promise<boolean> {
  return await keeping(async (keep) => {
    const [first = 0, second = 0, third = 0] = await startServices(keep, 0, 3)
    const list = join(await scratchFolder(keep), 'endpoints.json')
    await writeList(list, [first, second])
    const gateway = await one(keep, { web: { endpoints: { file: list }, balance: { policy: 'round_robin', slowStart: `${rampMs}ms` } } })
    // The two are new too: their own ramps are over first.
    const early = performance.now()
    while (performance.now() - early < rampMs + 500) await ask(gateway, Array.from({ length: 20 }), 4, () => ({ path: '/web' }))
    await writeList(list, [first, second, third])
    const seen: { readonly name: string; readonly at: number }[] = []
    const asking = performance.now()
    let joined = Number.POSITIVE_INFINITY
    while (performance.now() < Math.min(joined + rampMs + 2_000, asking + 30_000)) {
      const names = await ask(gateway, Array.from({ length: 20 }), 4, () => ({ path: '/web' }))
      const at = performance.now()
      seen.push(...names.map((name) => ({ name, at })))
      if (names.includes(`${third}`)) joined = Math.min(joined, at)
      await pause(10)
    }
    const rows: (readonly string[])[] = [['seconds after it joined', 'share', 'by its ramp']]
    let worst = 0
    for (let from = 0; from < rampMs + 2_000; from += 1_000) {
      const within = seen.filter(({ at }) => at >= joined + from && at < joined + from + 1_000)
      const share = within.filter(({ name }) => name === `${third}`).length / within.length
      const weight = Math.min(1, Math.max(0.1, (from + 500) / rampMs))
      const ramp = weight / (2 + weight)
      worst = Math.max(worst, Math.abs(share - ramp))
      rows.push([`${from / 1_000} to ${from / 1_000 + 1}`, percent(share), percent(ramp)])
    }
    process.stdout.write(`${columns(rows)}\n\n`)
    return worst <= 0.05
  })
}

/** How many keys go elsewhere when one of five endpoints leaves, and how many of them without need. */
async function movers(): Promise<boolean> {
  return await keeping(async (keep) => {
    const ports = await startServices(keep, 0, 5)
    const list = join(await scratchFolder(keep), 'endpoints.json')
    await writeList(list, ports)
    const policies = ['ring_hash', 'maglev']
    const hashed = (policy: string) => ({ endpoints: { file: list }, balance: { policy, key: 'header.x-key' } })
    const gateway = await one(keep, Object.fromEntries(policies.map((policy) => [policy.replace('_', '-'), hashed(policy)])))
    const subjects = Array.from({ length: keys }, (_, i) => `user-${i}`)
    const places = (policy: string) => ask(gateway, subjects, 16, (key) => ({ path: `/${policy.replace('_', '-')}`, key }))
    const before = new Map<string, readonly string[]>()
    for (const policy of policies) before.set(policy, await places(policy))
    const [gone = 0, ...stay] = ports
    await writeList(list, stay)
    await until(async () => {
      if ((await gateway.admin('/endpoints')).includes(`:${gone}"`)) throw new Error('the one that left is still there')
    })
    const rows: (readonly string[])[] = [['one of five leaves', 'keys it had', 'keys that moved', 'allowed', 'of others', 'busiest of the others']]
    let good = true
    for (const [policy, was] of before) {
      const is = await places(policy)
      const moved = is.filter((name, i) => name !== was[i])
      const others = is.filter((name, i) => name !== was[i] && was[i] !== `${gone}`).length
      const most = spreadOf(stay.map((port) => is.filter((name) => name === `${port}`).length)).max
      const allowed = 1 / ports.length + 0.02
      rows.push([
        policy,
        percent(was.filter((name) => name === `${gone}`).length / keys),
        percent(moved.length / keys),
        percent(allowed),
        percent(others / keys),
        `${((most / keys) * stay.length).toFixed(2)} × its part`,
      ])
      if (policy === 'ring_hash' && moved.length / keys > allowed) good = false
    }
    process.stdout.write(`${columns(rows)}\n`)
    return good
  })
}

process.stdout.write(`Node ${process.version}\n\n`)
const verdicts = [await slowOne(), await newcomer(), await movers()]
process.exitCode = verdicts.every(Boolean) ? 0 : 1
