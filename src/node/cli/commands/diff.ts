import { diffPolicies, type PolicyChange } from '../../../core/policy/diff.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { folderOf, loadSound } from '../load.ts'
import type { Terminal } from '../terminal.ts'

export const diff: Command = {
  name: 'diff',
  summary: 'Print the effective difference between two environments, or two policies folders.',
  usage: 'ENV OTHER_ENV',
  options: [
    ...policyOptions.filter((option) => option.name === 'policies'),
    { name: 'against', value: 'FOLDER', text: 'take OTHER_ENV from this folder (default: the same folder)' },
  ],
  examples: ['sallyport diff test prod', 'sallyport diff prod prod --against ../main/policies'],
  async run(args, terminal) {
    const [from, to] = args.positionals
    if (from === undefined || to === undefined) throw new UsageError('name two environments')
    const here = folderOf(args)
    const left = await loadSound({ folder: here, environment: from }, terminal)
    const right = await loadSound({ folder: args.values['against'] ?? here, environment: to }, terminal)
    if (left === undefined || right === undefined) return exit.findings
    const changes = diffPolicies(left.policy, right.policy)
    if (terminal.json) terminal.out(JSON.stringify({ from, to, changes }, null, 2))
    else {
      for (const change of changes) terminal.out(lineOf(change, terminal))
      terminal.out(changes.length === 0 ? 'no difference' : `\n${changes.length} difference${changes.length === 1 ? '' : 's'} from ${from} to ${to}`)
    }
    return exit.ok
  },
}

/** One line: a value that changed, or one that is on one side only. */
function lineOf({ path, from, to }: PolicyChange, terminal: Terminal): string {
  if (to === undefined) return terminal.style('red', `- ${path}: ${JSON.stringify(from)}`)
  if (from === undefined) return terminal.style('green', `+ ${path}: ${JSON.stringify(to)}`)
  return `  ${terminal.style('bold', path)}: ${terminal.style('red', JSON.stringify(from))} → ${terminal.style('green', JSON.stringify(to))}`
}
