import type { Readable } from 'node:stream'

/** Hands on what a process writes, in whole lines, so that those of several processes never mix. The rest of a line of a process that died is lost. */
export function relayLines(from: Readable, take: (lines: readonly string[]) => void): void {
  let rest = ''
  from.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (lines.length > 0) take(lines)
  })
  from.on('error', () => {})
}
