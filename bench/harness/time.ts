/** What the issue of a run without arguments promises, with something in hand for a slow start. */
const limitSeconds = 105
/** Starting a peer and comparing its answer. */
const startSeconds = 1
/** Starting the load generator, each time. */
const perRunSeconds = 0.15
const warmUpSeconds = 2

/** Seconds for each measurement, two or one, so that a run whose length nobody has set prints its table in two minutes. */
export function secondsThatFit(run: { readonly elapsed: number; readonly peers: number; readonly rounds: number; readonly fixedSeconds: number }): 1 | 2 {
  const perPeer = startSeconds + warmUpSeconds + run.fixedSeconds + (run.rounds + 2) * perRunSeconds + run.rounds * 2
  return run.elapsed + run.peers * perPeer <= limitSeconds ? 2 : 1
}
