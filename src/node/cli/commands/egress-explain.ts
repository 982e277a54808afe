import { explainEgress, readProxiedCall, serviceOfCall } from '../../../core/egress/explain.ts'
import type { Policy } from '../../../core/policy/policy.ts'
import { createClock } from '../../clock.ts'
import { createResolve } from '../../resolve.ts'
import { createSecrets } from '../../secrets.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { loadSound, placeOf } from '../load.ts'
import { table } from '../terminal.ts'

export const egressExplain: Command = {
  name: 'egress explain',
  summary: 'Walk one call to a vendor through every rule without making it.',
  usage: 'SERVICE [METHOD PATH] | [SERVICE METHOD] URL',
  options: [
    ...policyOptions,
    { name: 'caller', value: 'NAME', text: 'who calls (default: the first caller of the service)' },
    { name: 'want', value: 'ENV', text: 'what x-egress-env would say' },
  ],
  examples: [
    'sallyport egress explain payments POST /v1/charges --env dev',
    'sallyport egress explain payments POST /v1/charges --env dev --want prod',
    'sallyport egress explain https://github.com:443 --env dev',
    'sallyport egress explain github GET http://deb.example/x --env dev',
  ],
  async run(args, terminal) {
    if (args.positionals.length === 0) throw new UsageError('say what is called: SERVICE METHOD PATH')
    const sound = await loadSound(placeOf(args), terminal)
    if (sound === undefined) return exit.findings
    const question = questionOf(sound.policy, args.positionals, args.values['caller'], args.values['want'])
    const clock = createClock()
    const ports = { clock, resolve: createResolve(clock), secrets: createSecrets(process.env), ownAddresses: () => [], ownListeners: () => [] }
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

/** @throws UsageError for what is no call */
function questionOf(policy: Policy, [first = '', method = '', where = '']: readonly string[], caller: string | undefined, environment: string | undefined) {
  const whole = first.includes('://') ? readProxiedCall('', first) : undefined
  if (whole !== undefined) {
    const service = serviceOfCall(policy, whole, caller) ?? ''
    return { service, method: whole.method, path: whole.path, proxied: whole, caller, environment }
  }
  const service = new Map(Object.entries(policy.egress)).get(first)?.service
  if (service?.proxy !== undefined) {
    const proxied = readProxiedCall(method.toUpperCase(), where)
    if (proxied === undefined) throw new UsageError('say what is called: SERVICE CONNECT HOST:PORT, or SERVICE METHOD http://HOST/PATH')
    return { service: first, method: proxied.method, path: proxied.path, proxied, caller, environment }
  }
  if (service?.stream === undefined && where === '') throw new UsageError('say what is called: SERVICE METHOD PATH; only a TCP service has neither')
  return { service: first, method: method.toUpperCase(), path: where, caller, environment }
}
