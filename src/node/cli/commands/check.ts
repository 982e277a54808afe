import { checkWorkerGround } from '../../../core/edge.ts'
import { boundOf } from '../../../core/policy/bounds.ts'
import type { Diagnostic } from '../../../core/policy/diagnostic.ts'
import { keptOf } from '../../../core/policy/kept.ts'
import type { Limit } from '../../../core/policy/linked/limits.ts'
import type { Policy } from '../../../core/policy/policy.ts'
import { createChannels } from '../../channels.ts'
import { createClock } from '../../clock.ts'
import { createDiscover } from '../../discover.ts'
import { createFetch } from '../../fetch.ts'
import { type Probe, type ProbeReport, probePolicy } from '../../probe/probe.ts'
import { createRandom } from '../../random.ts'
import { createResolve } from '../../resolve.ts'
import { createSecrets } from '../../secrets.ts'
import { dnsServersIn } from '../../settings.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { diagnosticText } from '../diagnostic-text.ts'
import { loadAt, placeOf } from '../load.ts'
import { type Terminal, table } from '../terminal.ts'

export const check: Command = {
  name: 'check',
  summary: 'Read, check and link the policies; print every problem with its place.',
  usage: '',
  options: [
    ...policyOptions,
    { name: 'strict', text: 'warnings are findings too' },
    { name: 'probe', text: 'also try what they depend on: endpoints, descriptors of running servers, key sets of issuers' },
    { name: 'ground', value: 'GROUND', text: 'where they shall run: node, or worker for what an edge in a Worker cannot do (default: node)' },
  ],
  examples: ['sallyport check --env dev', 'SALLYPORT_ENV=prod sallyport check --policies deploy/policies --json', 'sallyport check --env staging --probe'],
  async run(args, terminal) {
    const place = placeOf(args)
    const ground = groundOf(args.values['ground'])
    const loaded = await loadAt(place, terminal)
    const { policy } = loaded
    const probed = policy !== undefined && args.flags.has('probe') ? await terminal.progress('Probing', probe(policy, loaded.origins)) : undefined
    const diagnostics = [
      ...loaded.diagnostics,
      ...(ground === 'worker' && policy !== undefined ? checkWorkerGround(policy, loaded.origins) : []),
      ...(probed?.diagnostics ?? []),
    ]
    const errors = diagnostics.filter((one) => one.severity === 'error').length
    const sound = errors === 0 && policy !== undefined && !(args.flags.has('strict') && diagnostics.length > 0)
    const bounds =
      policy === undefined
        ? []
        : Object.values(policy.limits).map((limit) => ({
            limit: limit.name,
            bound: boundOf(limit, policy.store.redis !== undefined, isCharged(limit, policy)),
          }))
    const kept = policy === undefined ? [] : keptIn(policy)
    const sets = policy === undefined ? [] : setsOf(policy)
    if (terminal.json) {
      const answer = {
        ok: sound,
        environment: place.environment,
        revision: policy?.revision,
        descriptors: sets,
        limits: bounds,
        retries: kept,
        probes: probed?.probes,
        diagnostics,
      }
      terminal.out(JSON.stringify(answer, null, 2))
      return sound ? exit.ok : exit.findings
    }
    if (probed !== undefined) printProbes(probed.probes, terminal)
    print(diagnostics, place.folder, terminal)
    if (sound && policy !== undefined) {
      const count = (what: string, many: number) => `${many} ${what}${many === 1 ? '' : 's'}`
      const parts = [count('route', policy.routes.length), count('egress service', Object.keys(policy.egress).length)]
      terminal.out(`${terminal.style('green', 'ok')}: ${parts.join(', ')} for ${place.environment} (${policy.environmentClass}), revision ${policy.revision}`)
      for (const { file, sha256 } of sets) terminal.out(`${file}: sha256 ${sha256}`)
      for (const { limit, bound } of bounds) terminal.out(`limit ${limit}: ${bound}`)
      for (const { route, memory } of kept) terminal.out(`retries of route ${route}: ${memory}`)
    }
    return sound ? exit.ok : exit.findings
  },
}

function probe(policy: Policy, origins: Parameters<typeof probePolicy>[1]): Promise<ProbeReport> {
  const clock = createClock()
  const dial = { clock, resolve: createResolve(clock), secrets: createSecrets(process.env) }
  const discover = createDiscover({ ...dial, random: createRandom() }, dnsServersIn(process.env))
  return probePolicy(policy, origins, { ...dial, discover, channels: createChannels(dial), fetch: createFetch(dial) })
}

/** What retries may take of the memory, by route. */
function keptIn(policy: Policy): readonly { readonly route: string; readonly memory: string }[] {
  return policy.routes.flatMap((route) => {
    const memory = keptOf(route, policy)
    return memory === undefined ? [] : [{ route: route.name, memory }]
  })
}

/** Every descriptor set that a cluster names, with what pins it. */
function setsOf(policy: Policy): readonly { readonly file: string; readonly sha256: string }[] {
  const sets = Object.values(policy.clusters).flatMap(({ descriptors }) => (descriptors === undefined ? [] : [[descriptors.file, descriptors.sha256] as const]))
  return Array.from(new Map(sets), ([file, sha256]) => ({ file, sha256 }))
}

const marks = { ok: ['green', 'ok'], trouble: ['red', 'trouble'], unknown: ['yellow', 'unknown'] } as const

function printProbes(probes: readonly Probe[], terminal: Terminal): void {
  const rows = probes.map(({ kind, name, subset, target, outcome, text }) => [
    terminal.style(marks[outcome][0], marks[outcome][1]),
    kind,
    subset === undefined ? name : `${name}/${subset}`,
    target ?? '',
    text,
  ])
  if (rows.length > 0) terminal.out(`${table(rows)}\n`)
}

function groundOf(text = 'node'): 'node' | 'worker' {
  if (text === 'node' || text === 'worker') return text
  throw new UsageError(`--ground is ${JSON.stringify(text)}: it is node or worker`)
}

function print(diagnostics: readonly Diagnostic[], folder: string, terminal: Terminal): void {
  for (const one of diagnostics) terminal.out(diagnosticText(one, terminal, folder))
  const errors = diagnostics.filter((one) => one.severity === 'error').length
  const warnings = diagnostics.length - errors
  if (diagnostics.length > 0) terminal.out(`\n${errors} error${errors === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}`)
}

/** Some route lets the upstream say what requests cost of it. */
function isCharged({ name }: Limit, { routes }: Policy): boolean {
  return routes.some(({ limits }) => limits.some((use) => use.name === name && use.response !== undefined))
}
