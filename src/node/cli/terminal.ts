import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Where a command writes. Colours and moving lines appear only on a terminal that a person looks at. */
export interface Terminal {
  readonly json: boolean
  readonly interactive: boolean
  readonly width: number
  out(text: string): void
  err(text: string): void
  style(style: Style, text: string): string
  /** Runs `work`; says what it is waiting for when it takes longer than a second. */
  progress<T>(what: string, work: Promise<T>): Promise<T>
}

interface Streams {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The terminal of this process. `NO_COLOR` and `FORCE_COLOR` are honoured (no-color.org). */
export function openTerminal({ stdout, stderr, env }: Streams, json: boolean): Terminal {
  const interactive = stdout.isTTY && !json
  const colour = !json && (env['NO_COLOR'] ?? '') === '' && (interactive || (env['FORCE_COLOR'] ?? '') !== '')
  return {
    json,
    interactive,
    width: stdout.columns ?? 100,
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    style: (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text),
    progress: (what, work) => showProgress(what, work, stderr),
  }
}

async function showProgress<T>(what: string, work: Promise<T>, stderr: NodeJS.WriteStream): Promise<T> {
  const started = performance.now()
  let shown = false
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - started) / 1000)
    if (stderr.isTTY) stderr.write(`\r${what} … ${seconds} s`)
    else if (!shown) stderr.write(`${what} …\n`)
    shown = true
  }, 1000)
  try {
    return await work
  } finally {
    clearInterval(timer)
    if (shown && stderr.isTTY) stderr.write('\r\x1b[K')
  }
}

/** Columns padded to their widest cell; the last column is left as it is. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, visibleLength(cell))
  return rows
    .map((row) => row.map((cell, at) => (at === row.length - 1 ? cell : cell + ' '.repeat((widths[at] ?? 0) - visibleLength(cell) + 2))).join(''))
    .join('\n')
}

function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length
}
