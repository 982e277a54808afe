import type { LoadPlan } from '../load/plan.ts'
import type { Round } from '../result.ts'
import type { Bench } from './bench.ts'
import { watchMachine } from './machine.ts'
import { cpuTicks } from './proc.ts'

/** Puts the load of a plan on a peer and reads what it cost. `pid` is the peer, `backendPid` the service behind it. */
export async function measure(bench: Pick<Bench, 'load' | 'hertz'>, plan: LoadPlan, pid: number, backendPid: number): Promise<Round> {
  const disturbed = watchMachine()
  const before = cpuTicks(pid)
  const backendBefore = cpuTicks(backendPid)
  const result = await bench.load.run(plan)
  const cpuSeconds = (cpuTicks(pid) - before) / bench.hertz
  const backendSeconds = (cpuTicks(backendPid) - backendBefore) / bench.hertz
  return {
    cpuMicros: (cpuSeconds * 1e6) / result.requests,
    utilisation: cpuSeconds / result.seconds,
    requests: result.requests,
    errors: result.errors,
    perSecond: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    backendMicros: (backendSeconds * 1e6) / result.requests,
    backendUtilisation: backendSeconds / result.seconds,
    ...disturbed(),
  }
}
