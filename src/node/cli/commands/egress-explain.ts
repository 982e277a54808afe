import { explainEgress } from '../../../core/egress/explain.ts'
import { createClock } from '../../clock.ts'
import { createResolve } from '../../resolve.ts'
import { createSecrets } from '../../secrets.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { loadSound, placeOf } from '../load.ts'
import { table } from '../terminal.ts'

export const egressExplain: Command = {
  name: 'egress explain',
  summary: 'Walk one call to a vendor through every rule without making it.',
  usage: 'SERVICE [METHOD PATH]',
  options: [
    ...policyOptions,
    { name: 'caller', value: 'NAME', text: 'who calls (default: the first caller of the service)' },
    { name: 'want', value: 'ENV', text: 'what x-egress-env would say' },
  ],
  examples: ['sallyport egress explain payments POST /v1/charges --env dev', 'sallyport egress explain payments POST /v1/charges --env dev --want prod'],
  async run(args, terminal) {
    const [service, method = '', path = ''] = args.positionals
    if (service === undefined) throw new UsageError('say what is called: SERVICE METHOD PATH')
    const sound = await loadSound(placeOf(args), terminal)
    if (sound === undefined) return exit.findings
    const isStream = new Map(Object.entries(sound.policy.egress)).get(service)?.service.stream !== undefined
    if (!isStream && path === '') throw new UsageError('say what is called: SERVICE METHOD PATH; only a TCP service has neither')
    const clock = createClock()
    const ports = { clock, resolve: createResolve(clock), secrets: createSecrets(process.env), ownAddresses: () => [] }
    const question = { service, method: method.toUpperCase(), path, caller: args.values['caller'], environment: args.values['want'] }
    const lines = await terminal.progress('Resolving', explainEgress(sound.policy, question, ports))
    const passes = lines.every((line) => line.ok)
    if (terminal.json) terminal.out(JSON.stringify({ passes, lines }, null, 2))
    else {
      terminal.out(table(lines.map((line) => [terminal.style(line.ok ? 'green' : 'red', line.ok ? 'ok' : 'NO'), line.rule, line.detail])))
      terminal.out(passes ? '\nThis call would pass.' : '\nThis call would be refused.')
    }
    return passes ? exit.ok : exit.findings
  },
}
