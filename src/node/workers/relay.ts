import type { Readable } from 'node:stream'

/**
 * Hands on what a process writes, in whole lines and without the last newline, so that those of several processes never mix. The rest of a line of a
 * process that died is lost.
 */
export function relayLines(from: Readable, take: (lines: string) => void): void {
  let rest = ''
  from.setEncoding('utf8').on('data', (text: string) => {
    const end = text.lastIndexOf('\n')
    if (end < 0) {
      rest += text
      return
    }
    take(rest + text.slice(0, end))
    rest = text.slice(end + 1)
  })
  from.on('error', () => {})
}
