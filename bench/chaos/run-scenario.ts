import { setTimeout } from 'node:timers/promises'
import { keeping } from '../harness/keep.ts'
import type { ChaosOptions, Scenario, Verdict } from './scenario.ts'
import { startLoad } from './steady-load.ts'

/** Runs a scenario from its setup to its verdict. Everything it started is closed, whatever happens. */
export async function runScenario(scenario: Scenario, options: ChaosOptions): Promise<Verdict> {
  return await keeping(async (keep) => {
    const stage = await scenario.setup(options, keep)
    const load = startLoad(options.rate, (n) => stage.request(n))
    const pause = () => setTimeout(options.seconds * 1000)
    let stopped = false
    const stop = async () => {
      stopped = true
      return await load.stop()
    }
    keep(async () => void (stopped || (await stop())))
    stage.enter('warm-up')
    await pause()
    const control = performance.now()
    stage.enter('control')
    await pause()
    const fault = performance.now()
    stage.enter('fault')
    await stage.fault()
    if (stage.stays) await pause()
    await stage.heal()
    const healed = performance.now()
    stage.enter('after')
    await pause()
    const end = performance.now()
    return await stage.judge({ samples: await stop(), control, fault, healed, end })
  })
}
