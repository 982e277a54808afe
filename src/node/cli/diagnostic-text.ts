import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Terminal } from './terminal.ts'

/** One diagnostic as compilers write it: `file:line:col: error: sentence (hint)`. */
export function diagnosticText(one: Diagnostic, terminal: Terminal, folder: string): string {
  const file = one.file === '' ? folder : one.file
  const severity = terminal.style(one.severity === 'error' ? 'red' : 'yellow', one.severity)
  const hint = one.hint === undefined ? '' : `\n    ${terminal.style('dim', one.hint)}`
  return `${terminal.style('bold', `${file}:${one.line}:${one.column}`)}: ${severity}: ${one.message} ${terminal.style('dim', `[${one.code}]`)}${hint}`
}
