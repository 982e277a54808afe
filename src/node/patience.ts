/**
 * Milliseconds that a reader may take nothing before its stream is cut, where a sender may be silent for `idleMs`. The kernel says that room
 * was made only when a third of its send buffer is free (4 MiB by default on Linux): a reader of 8 kB/s shows no sign of life for three minutes.
 */
export function readerPatience(idleMs: number): number {
  return idleMs * 5
}
