import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { suggest } from '../../core/suggest.ts'
import type { Terminal } from './terminal.ts'

/** Exit status of every command: fine, findings or failure, wrong usage. */
export const exit = { ok: 0, findings: 1, usage: 2 } as const

/** What a command gets from its command line. Every option that takes a value may be given once. */
export interface Arguments {
  readonly positionals: readonly string[]
  readonly flags: ReadonlySet<string>
  readonly values: Readonly<Record<string, string>>
  /** Options declared `multiple`. */
  readonly lists: Readonly<Record<string, readonly string[]>>
}

export interface OptionHelp {
  readonly name: string
  /** Placeholder of the value; absent for a flag. */
  readonly value?: string
  readonly multiple?: boolean
  readonly text: string
}

/** One command: what it says of itself, and what it does. */
export interface Command {
  /** As typed, such as `check` or `egress list`. */
  readonly name: string
  readonly summary: string
  /** After the name, such as `[FOLDER]`. */
  readonly usage: string
  readonly options: readonly OptionHelp[]
  readonly examples: readonly string[]
  /** Returns the exit status. */
  run(args: Arguments, terminal: Terminal): Promise<number>
}

/** A command line that cannot be carried out: printed without a stack, exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const common: readonly OptionHelp[] = [
  { name: 'json', text: 'answer in JSON, for machines' },
  { name: 'help', text: 'this text' },
]

/** Options that name the policies and the environment, shared by every command that loads them. */
export const policyOptions: readonly OptionHelp[] = [
  { name: 'policies', value: 'FOLDER', text: 'the policies folder (default: $SALLYPORT_POLICIES, else ./policies)' },
  { name: 'env', value: 'NAME', text: 'the environment (default: $SALLYPORT_ENV)' },
]

/** Reads the words after the command's name. @throws UsageError naming the word that is wrong. */
export function parseCommandLine(command: Command, words: readonly string[]): Arguments {
  const options = [...command.options, ...common]
  const config: ParseArgsOptionsConfig = {}
  for (const option of options) {
    config[option.name] = { type: option.value === undefined ? 'boolean' : 'string', ...(option.multiple === true ? { multiple: true } : {}) }
  }
  try {
    const parsed = parseArgs({ args: [...words], options: config, allowPositionals: true, strict: true })
    return sort(parsed.values, parsed.positionals)
  } catch (error) {
    throw new UsageError(explainParseError(error, options), { cause: error })
  }
}

function sort(values: Readonly<Record<string, unknown>>, positionals: readonly string[]): Arguments {
  const flags = new Set<string>()
  const single: Record<string, string> = {}
  const lists: Record<string, string[]> = {}
  for (const [name, value] of Object.entries(values)) {
    if (value === true) flags.add(name)
    else if (typeof value === 'string') single[name] = value
    else if (Array.isArray(value)) lists[name] = value.map(String)
  }
  return { positionals, flags, values: single, lists }
}

function explainParseError(error: unknown, options: readonly OptionHelp[]): string {
  const message = error instanceof Error ? error.message : String(error)
  const unknown = /^Unknown option '--?([^']+)'/.exec(message)
  if (unknown === null) return message
  const close = suggest(
    unknown[1] as string,
    options.map((option) => option.name),
  )
  return `unknown option --${unknown[1]}${close === undefined ? '' : `, did you mean --${close}?`}`
}

/** The help page of one command. */
export function helpText(command: Command): string {
  const rows = [...command.options, ...common].map(
    (option) => [`--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`, option.text] as const,
  )
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  const usage = `Usage: sallyport ${command.name}${command.usage === '' ? '' : ` ${command.usage}`} [options]`
  return [
    command.summary,
    '',
    usage,
    '',
    'Options:',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
    'Exit status: 0 fine, 1 findings or failure, 2 wrong usage.',
    '',
  ].join('\n')
}
