import { METHODS } from 'node:http'
import { type EgressQuestion, type ExplainLine, explainEgress, readProxiedCall, serviceOfCall } from '../../../core/egress/explain.ts'
import { switchedPolicy } from '../../../core/egress/switched.ts'
import type { Policy } from '../../../core/policy/policy.ts'
import { createClock } from '../../clock.ts'
import { createResolve } from '../../resolve.ts'
import { createSecrets } from '../../secrets.ts'
import { nat64Of } from '../../settings.ts'
import { adminOf, adminOption, egressInForce } from '../admin-client.ts'
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
    { ...adminOption, text: `with what is switched in a running gateway of these policies: ${adminOption.text}` },
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
    const { admin } = args.values
    const policy = admin === undefined ? sound.policy : await asInForce(sound.policy, adminOf(args)).catch((error: unknown) => problemOf(error))
    if (typeof policy === 'string') {
      terminal.err(policy)
      return exit.findings
    }
    const question = questionOf(policy, args.positionals, args.values['caller'], args.values['want'])
    const clock = createClock()
    const problems: string[] = []
    const nat64 = nat64Of({ name: 'SALLYPORT_NAT64', value: process.env['SALLYPORT_NAT64'] }, problems)
    if (problems.length > 0) throw new UsageError(problems.join('\n'))
    const ports = { clock, nat64, resolve: createResolve(clock), secrets: createSecrets(process.env), ownAddresses: () => [], ownListeners: () => [] }
    const lines = [...parserLines(question), ...(await terminal.progress('Resolving', explainEgress(policy, question, ports)))]
    const passes = lines.every((line) => line.ok)
    if (terminal.json) terminal.out(JSON.stringify({ passes, switches: admin === undefined ? 'unknown' : 'known', lines }, null, 2))
    else {
      terminal.out(table(lines.map((line) => [terminal.style(line.ok ? 'green' : 'red', line.ok ? 'ok' : 'NO'), line.rule, line.detail])))
      terminal.out(passes ? '\nThis call would pass.' : '\nThis call would be refused.')
      if (admin === undefined) terminal.out(unknownSwitches)
    }
    return passes ? exit.ok : exit.findings
  },
}

const unknownSwitches = 'What is switched at run time is not known here: say --admin URL, or see "sallyport egress list --admin URL".'

/** These policies with what is switched in the gateway. @throws Error when it cannot be asked, or has others in force. */
async function asInForce(policy: Policy, admin: URL): Promise<Policy> {
  const { revision, environment, services } = await egressInForce(admin)
  const [loaded, ...ids] = revision.split('.')
  if (environment !== policy.environment) throw new Error(`${admin.origin} runs in ${environment}, and this is asked for ${policy.environment}`)
  if (loaded !== policy.revision) throw new Error(`${admin.origin} has other policies in force (revision ${loaded}) than this folder (${policy.revision})`)
  const switches = services.flatMap(({ service, environment: to, switched }) =>
    switched === undefined ? [] : [{ id: '', service, environment: to, by: switched.by, reason: switched.reason, at: 0, endsAt: undefined }],
  )
  if (switches.length !== ids.length)
    throw new Error(`${admin.origin} has a service switched to an environment that is gone: see "sallyport egress list --admin"`)
  const named = switches.toSorted((a, b) => (a.service < b.service ? -1 : 1)).map((one, i) => ({ ...one, id: ids[i] ?? '' }))
  return switchedPolicy(policy, named)
}

function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What the parser of the listeners refuses before any rule is asked. */
function parserLines({ method }: EgressQuestion): readonly ExplainLine[] {
  if (method === '' || METHODS.includes(method)) return []
  return [{ rule: 'method', ok: false, detail: `${method} is no method that the parser of HTTP/1.1 knows: 400; over HTTP/2 the rest decides` }]
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
