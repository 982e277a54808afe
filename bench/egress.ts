import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Ambassador, haproxyInstall, startHaproxy, startSallyport, startVendor, type Way, ways } from './egress/ambassadors.ts'
import { ask } from './harness/ask.ts'
import { buildSallyport } from './harness/build.ts'
import { openChildren } from './harness/children.ts'
import { describeMachine, ticksPerSecond } from './harness/machine.ts'
import { measure } from './harness/measure.ts'
import { residentMiB } from './harness/proc.ts'
import { openLoad } from './load/load.ts'
import type { LoadPlan } from './load/plan.ts'
import type { BenchRequest } from './model.ts'
import { orderOf, ratiosWithin, spreadOf } from './report/statistics.ts'
import { columns, figure } from './report/table.ts'
import type { Round } from './result.ts'

/*
 * What a call through the ambassador costs beside a direct one: CPU of the ambassador, p50 and p99, next to HAProxy doing plain forwarding, in one run
 * and in turn. `node bench/egress.ts [--rounds 4] [--seconds 2] [--rate 500] [--profile FOLDER]`: under three minutes.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '2' },
    rate: { type: 'string', default: '500' },
    profile: { type: 'string' },
  },
})
const [rounds, seconds, rate] = [Number(values.rounds), Number(values.seconds), Number(values.rate)]

const request: BenchRequest = { method: 'GET', path: '/v1/charges/b-1', headers: { accept: 'application/json' }, body: '' }
const titles: Readonly<Record<Way, string>> = { http: 'forwarded', key: 'with a key put in', https: 'over verified TLS' }

interface Lane {
  readonly name: string
  readonly way: Way
  readonly port: number
  readonly pid: number
  readonly vendorPid: number
  /** With nothing between: it is not the lane's own process that is measured. */
  readonly isDirect: boolean
  /** As fast as it goes, and at a fixed rate. */
  readonly laps: { readonly full: Round; readonly fixed: Round }[]
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-egress-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const children = openChildren()
try {
  const machine = describeMachine()
  const { pinning } = machine
  const build = await buildSallyport(folder, children)
  const load = await openLoad('auto', children, pinning?.others, folder)
  const nodeFlags = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(values.profile)}`]
  const world = { children, folder, pinning, sallyport: build.command, nodeFlags }
  const vendor = await startVendor(world)
  const haproxy = await startHaproxy(world, vendor)
  if (haproxy === undefined) console.error(`HAPROXY IS NOT INSTALLED, and is not in the table: ${haproxyInstall}`)
  const sallyport = await startSallyport(world, vendor)
  const lanes: readonly Lane[] = [
    { name: 'direct', way: 'http', port: vendor.http, pid: vendor.children[0].pid, vendorPid: vendor.children[0].pid, isDirect: true, laps: [] },
    ...[haproxy, sallyport].flatMap((one) => (one === undefined ? [] : ways.map((way) => laneOf(one, way)))),
  ]
  function laneOf({ name, ports, child }: Ambassador, way: Way): Lane {
    return { name, way, port: ports[way], pid: child.pid, vendorPid: vendor.children[way === 'https' ? 1 : 0].pid, isDirect: false, laps: [] }
  }
  const plan = (port: number, forSeconds: number, perSecond: number | undefined): LoadPlan => ({
    port,
    connections: 32,
    seconds: forSeconds,
    request,
    tokens: ['of-the-caller'],
    rate: perSecond,
  })
  const bench = { load, hertz: await ticksPerSecond() }
  for (const { name, way, port } of lanes) {
    const { status, body } = await ask(port, request, undefined)
    if (status !== 200) throw new Error(`${name}, ${titles[way]}: ${status} ${body}`)
    await load.run(plan(port, 1, undefined))
  }
  for (let round = 0; round < rounds; round++) {
    for (const at of orderOf(round, lanes.length)) {
      const { port, pid, vendorPid, laps } = lanes[at] as Lane // an index of its own
      const full = await measure(bench, plan(port, seconds, undefined), pid, vendorPid)
      laps.push({ full, fixed: await measure(bench, plan(port, seconds, rate), pid, vendorPid) })
    }
  }
  const fixedOf = (lane: Lane | undefined, of: (round: Round) => number) => (lane?.laps ?? []).map(({ fixed }) => of(fixed))
  const microsOf = (lane: Lane | undefined) => (lane?.laps ?? []).map(({ full }) => full.cpuMicros)
  const ratio = (those: readonly number[], these: readonly number[]) => {
    const all = ratiosWithin(those, these)
    return all.length === 0 ? '-' : figure(spreadOf(all).median)
  }
  const rows = lanes.map((lane) => {
    const { name, way, isDirect, laps } = lane
    const peer = lanes.find((one) => one.name === 'haproxy' && one.way === way)
    const micros = spreadOf(microsOf(lane))
    const [p50, p99] = [fixedOf(lane, ({ p50Ms }) => p50Ms), fixedOf(lane, ({ p99Ms }) => p99Ms)]
    return [
      `${name}, ${isDirect ? 'http' : titles[way]}`,
      isDirect ? '-' : figure(micros.median),
      isDirect ? '-' : `(${figure(micros.min)}–${figure(micros.max)})`,
      name === 'sallyport' ? ratio(microsOf(lane), microsOf(peer)) : '-',
      figure(spreadOf(laps.map(({ full }) => full.perSecond)).median),
      figure(spreadOf(p50).median),
      figure(spreadOf(p99).median),
      isDirect
        ? '-'
        : ratio(
            p50,
            fixedOf(lanes[0], ({ p50Ms }) => p50Ms),
          ),
      isDirect
        ? '-'
        : ratio(
            p99,
            fixedOf(lanes[0], ({ p99Ms }) => p99Ms),
          ),
    ]
  })
  const all = lanes.flatMap(({ laps }) => laps.flatMap(({ full, fixed }) => [full, fixed]))
  const share = (of: (round: Round) => number) => `${Math.round(100 * Math.max(...all.map(of)))} %`
  console.log(
    [
      `Node ${process.version}, Sallyport from ${build.kind}, ${haproxy === undefined ? 'no HAProxy' : `HAProxy ${haproxy.version}`}, ${load.version}; ${machine.cpu}, ${machine.cpus} CPUs`,
      `${rounds} rounds in turn, ${seconds} s as fast as 32 connections go, and ${seconds} s at ${rate} calls/s, from which p50 and p99 are; medians, ratios within a round`,
      '',
      columns([['', 'CPU µs/call', '(min–max)', '× haproxy', 'calls/s', 'p50 ms', 'p99 ms', 'p50 × direct', 'p99 × direct'], ...rows]),
      '',
      `Resident at the end: ${[haproxy, sallyport].flatMap((one) => (one === undefined ? [] : [`${one.name} ${figure(residentMiB(one.child.pid))} MiB`])).join(', ')}.`,
      `Others took up to ${share(({ foreign }) => foreign)} of the machine in a lap, the hypervisor ${share(({ steal }) => steal)}.`,
    ].join('\n'),
  )
  const errors = all.reduce((sum, one) => sum + one.errors, 0)
  if (errors > 0) {
    console.error(`${errors} CALLS FAILED.`)
    process.exitCode = 1
  }
} finally {
  await children.closeAll()
}
