/** Lets everybody read what was written before more is: pieces of a message arrive as pieces. */
export async function apart(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((next) => setImmediate(next))
}
