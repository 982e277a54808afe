import type { Random } from '../../core/ports.ts'

/** Numbers and ids from the platform's cryptographic source. */
export function createRandom(): Random {
  return {
    unit() {
      const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
      // 53 bits: every double in [0, 1) of that grain.
      return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
    },
    hex: (bytes) => hexOf(crypto.getRandomValues(new Uint8Array(bytes))),
    uuid: () => crypto.randomUUID(),
  }
}

/** Lower-case hex. */
export function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
