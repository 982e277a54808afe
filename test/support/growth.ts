/**
 * By what factor the processor time of `run` grows when its size does by the factor four: about 4 when it is linear, 16 when it is quadratic.
 * The small size runs first, cold, so that compilation does not count against the large one; other load on the machine counts on neither side.
 */
export async function growthByFour(run: (size: number) => unknown, size: number): Promise<number> {
  const small = await cpuMs(() => run(size))
  return (await cpuMs(() => run(size * 4))) / Math.max(small, 1)
}

/** Between linear and quadratic, nearer to the latter: what a fourfold size may cost. */
export const almostLinear = 10

async function cpuMs(run: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
