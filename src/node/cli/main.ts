#!/usr/bin/env node
import { readFileSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suggest } from '../../core/suggest.ts'
import { type Command, exit, helpText, parseCommandLine, UsageError } from './command.ts'
import { commandNames, findCommand, readCommands } from './commands.ts'
import { openTerminal, type Terminal, table } from './terminal.ts'

/** Finds the command, runs it and returns the exit status. Never throws. */
export async function runCommandLine(words: readonly string[], terminal: Terminal): Promise<number> {
  const found = await commandOf(words)
  if (found === undefined) return answerWithoutCommand(words, terminal)
  if (found.rest.includes('--help') || found.rest.includes('-h')) {
    terminal.out(helpText(found.command))
    return exit.ok
  }
  try {
    return await found.command.run(parseCommandLine(found.command, found.rest), terminal)
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.err(`${error.message}\nSee: sallyport ${found.command.name} --help`)
      return exit.usage
    }
    terminal.err(error instanceof Error ? (error.stack ?? error.message) : String(error))
    return exit.findings
  }
}

async function commandOf(words: readonly string[]): Promise<{ readonly command: Command; readonly rest: readonly string[] } | undefined> {
  for (const length of [2, 1]) {
    const command = await findCommand(words.slice(0, length).join(' '))
    if (command !== undefined) return { command, rest: words.slice(length) }
  }
  return undefined
}

async function answerWithoutCommand(words: readonly string[], terminal: Terminal): Promise<number> {
  const [word] = words
  if (word === undefined || word === '--help' || word === '-h' || word === 'help') {
    terminal.out(await overviewText(terminal))
    return word === undefined ? exit.usage : exit.ok
  }
  if (word === '--version' || word === '-v' || word === 'version') {
    terminal.out(version())
    return exit.ok
  }
  const group = commandNames.filter((name) => name.startsWith(`${word} `))
  if (group.length > 0 && words.some((one) => one === '--help' || one === '-h')) {
    terminal.out(`Usage: sallyport ${word} COMMAND [options]\n\n${summaries(await readCommands((name) => group.includes(name)), terminal)}`)
    return exit.ok
  }
  if (group.length > 0) {
    const close = words[1] === undefined ? undefined : suggest(words.slice(0, 2).join(' '), group)
    terminal.err(
      `${word} wants one of: ${group.map((name) => name.slice(word.length + 1)).join(', ')}${close === undefined ? '' : `; did you mean "${close}"?`}`,
    )
    return exit.usage
  }
  const close = suggest(words.slice(0, 2).join(' '), commandNames)
  terminal.err(`unknown command "${word}"${close === undefined ? '' : `, did you mean "${close}"?`}\nSee: sallyport --help`)
  return exit.usage
}

/** From the package, wherever the program was started. */
function version(): string {
  const { version: text } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { readonly version: string }
  return text
}

function summaries(some: readonly Command[], terminal: Terminal): string {
  return table(some.map((command) => [`  ${terminal.style('bold', command.name)}`, command.summary]))
}

async function overviewText(terminal: Terminal): Promise<string> {
  return [
    'Sallyport: an edge API gateway in front of a service mesh.',
    '',
    'Usage: sallyport COMMAND [options]',
    '',
    summaries(await readCommands(), terminal),
    '',
    'Every command has --help with examples, and --json for machines.',
  ].join('\n')
}

const invoked = process.argv[1]
if (invoked !== undefined && realpathSync(invoked) === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2)
  process.exitCode = await runCommandLine(words, openTerminal(process, words.includes('--json')))
}
