import type { Placed } from './exchange.ts'
import { Fault } from './fault.ts'

interface DelayClock {
  ticks(): number
  after(ms: number, run: () => void): { cancel(): void }
}

/** Waits like a slow vendor: as long as told, never past the call's deadline. @throws Fault `deadline_exceeded`, or why the request was cut short. */
export function delay(x: Placed, ms: number, clock: DelayClock): Promise<void> {
  const left = Math.min(x.deadline, x.receivedAt + x.service.timeoutMs) - clock.ticks()
  return new Promise((done, fail) => {
    const end = () => {
      forget()
      if (ms <= left) done()
      else fail(new Fault('deadline_exceeded', 'the answer comes later than the call may take'))
    }
    const timer = clock.after(Math.min(ms, Math.max(0, left)), end)
    const forget = x.lifeline.onEnd((why) => {
      timer.cancel()
      fail(why)
    })
  })
}
