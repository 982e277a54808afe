import { type Command, parseCommandLine } from '../../src/node/cli/command.ts'
import type { Terminal } from '../../src/node/cli/terminal.ts'

export interface Asked {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** Runs a command in this process, as from a command line that no person looks at. @throws UsageError as the command does. */
export async function ask(command: Command, ...words: readonly string[]): Promise<Asked> {
  const written = { out: '', err: '' }
  const args = parseCommandLine(command, words)
  const terminal: Terminal = {
    json: args.flags.has('json'),
    interactive: false,
    width: 100,
    out: (text) => void (written.out += `${text}\n`),
    err: (text) => void (written.err += `${text}\n`),
    style: (_, text) => text,
    progress: (_, work) => work,
  }
  return { status: await command.run(args, terminal), ...written }
}
