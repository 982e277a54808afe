import { listEgress } from '../../../core/egress/explain.ts'
import { type Command, exit, policyOptions } from '../command.ts'
import { loadSound, placeOf } from '../load.ts'
import { table } from '../terminal.ts'

export const egressList: Command = {
  name: 'egress list',
  summary: 'Print every egress service in every environment of this class: mode, target, secret reference.',
  usage: '',
  options: policyOptions,
  examples: ['sallyport egress list --env dev'],
  async run(args, terminal) {
    const sound = await loadSound(placeOf(args), terminal)
    if (sound === undefined) return exit.findings
    const rows = listEgress(sound.policy)
    if (terminal.json) terminal.out(JSON.stringify(rows, null, 2))
    else
      terminal.out(
        table([
          ['SERVICE', 'ENVIRONMENT', 'MODE', 'TARGET', 'SECRET'],
          ...rows.map((row) => [row.service, row.environment, row.mode, row.target ?? '-', row.secret ?? '-']),
        ]),
      )
    return exit.ok
  },
}
