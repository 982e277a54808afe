import { describe, expect, it, vi } from 'vitest'
import { Budget, OverBudget } from '../../src/node/counters/budget.ts'

describe('a budget of time', () => {
  it('gives what is answered, and the reason of what is refused', async () => {
    const budget = new Budget(10_000)
    expect(await budget.within(Promise.resolve(7))).toBe(7)
    await expect(budget.within(Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  it('gives up what is not answered, each in its turn, and goes on', async () => {
    const budget = new Budget(5)
    const never = new Promise<never>(() => {})
    const ended: string[] = []
    const wait = async (name: string) => {
      await expect(budget.within(never)).rejects.toBeInstanceOf(OverBudget)
      ended.push(name)
    }
    await Promise.all([wait('a'), wait('b')])
    await wait('c')
    expect(ended).toEqual(['a', 'b', 'c'])
    expect(await budget.within(Promise.resolve('still'))).toBe('still')
  })

  it('reads what has arrived before it gives up, however late it is itself', async () => {
    const budget = new Budget(1)
    // Due in the same turn, and later in it.
    const arrived = Promise.withResolvers<string>()
    const answer = budget.within(arrived.promise)
    setTimeout(() => arrived.resolve('late, but there'), 1)
    const until = performance.now() + 20
    while (performance.now() < until);
    expect(await answer).toBe('late, but there')
  })

  it('forgets who was answered', async () => {
    vi.useFakeTimers()
    try {
      const budget = new Budget(1000)
      await budget.within(Promise.resolve(1))
      await vi.advanceTimersByTimeAsync(2000)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })
})
