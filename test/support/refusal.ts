import { Fault } from '../../src/core/model/fault.ts'

/** The fault that `run` throws, or undefined; anything else that is thrown goes on. */
export function refusal(run: () => unknown): Fault | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
}

/** The same of something that takes time. */
export async function refusalOf(run: () => unknown): Promise<Fault | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
}
