import type { Fault } from './fault.ts'
import type { Lifeline } from './lifeline.ts'

/** Waits for so many milliseconds; rejects with the reason when the lifeline ends first. */
export function pause(ms: number, lifeline: Lifeline, clock: { after(ms: number, run: () => void): { cancel(): void } }): Promise<void> {
  return new Promise((resolve, reject: (why: Fault) => void) => {
    let forget = () => {}
    const timer = clock.after(ms, () => {
      forget()
      resolve()
    })
    forget = lifeline.onEnd((why) => {
      timer.cancel()
      reject(why)
    })
  })
}
