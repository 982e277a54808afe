import { type EgressRow, listEgress } from '../../../core/egress/explain.ts'
import { adminOf, adminOption, egressInForce } from '../admin-client.ts'
import { type Command, exit, policyOptions } from '../command.ts'
import { loadSound, placeOf } from '../load.ts'
import { table } from '../terminal.ts'

interface Switched {
  readonly by: string
  readonly reason: string
  readonly endsAt?: string | undefined
}

type Row = Pick<EgressRow, 'service' | 'environment'> & {
  readonly mode: string
  /** A gateway of an older version does not say. */
  readonly callers?: EgressRow['callers'] | undefined
  readonly target?: string | undefined
  readonly secret?: string | undefined
  readonly switched?: Switched | undefined
}

export const egressList: Command = {
  name: 'egress list',
  summary:
    'Print every egress service in every environment of this class: mode, target, secret reference, callers; with --admin what a running gateway has in force.',
  usage: '',
  options: [...policyOptions, { ...adminOption, text: `ask a running gateway instead, with what is switched: ${adminOption.text}` }],
  examples: ['sallyport egress list --env dev', 'sallyport egress list --admin http://127.0.0.1:9901'],
  async run(args, terminal) {
    if (args.values['admin'] !== undefined) {
      try {
        const { services, revision, environment, environmentClass } = await egressInForce(adminOf(args))
        terminal.out(
          terminal.json ? JSON.stringify(services, null, 2) : `${text(services)}\n\nEnvironment ${environment} (${environmentClass}), revision ${revision}.`,
        )
        return exit.ok
      } catch (error) {
        terminal.err(error instanceof Error ? error.message : String(error))
        return exit.findings
      }
    }
    const sound = await loadSound(placeOf(args), terminal)
    if (sound === undefined) return exit.findings
    const rows = listEgress(sound.policy)
    terminal.out(terminal.json ? JSON.stringify(rows, null, 2) : text(rows))
    return exit.ok
  },
}

function text(rows: readonly Row[]): string {
  const anySwitched = rows.some(({ switched }) => switched !== undefined)
  return table([
    ['SERVICE', 'ENVIRONMENT', 'MODE', 'TARGET', 'SECRET', 'CALLERS', ...(anySwitched ? ['SWITCHED'] : [])],
    ...rows.map((row) => [
      row.service,
      row.environment,
      row.mode,
      row.target ?? '-',
      row.secret ?? '-',
      callersText(row.callers),
      ...(anySwitched ? [switchedText(row.switched)] : []),
    ]),
  ])
}

function callersText(callers: Row['callers'] = []): string {
  const texts = callers.map(({ name, by }) => (by.includes('listener') ? name : `${name} (${by.join(' and ')})`))
  return texts.length === 0 ? '-' : texts.join(', ')
}

function switchedText(switched: Row['switched']): string {
  if (switched === undefined) return '-'
  return `here, by ${switched.by}${switched.endsAt === undefined ? '' : ` until ${switched.endsAt}`}: ${switched.reason}`
}
