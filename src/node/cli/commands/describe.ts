import type { Policy } from '../../../core/policy/policy.ts'
import { suggest } from '../../../core/policy/suggest.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { flatten } from '../flatten.ts'
import { loadSound, placeOf } from '../load.ts'
import { table } from '../terminal.ts'

const kinds = ['route', 'cluster', 'limit', 'access', 'issuer', 'egress', 'caller', 'listener'] as const
type Kind = (typeof kinds)[number]

export const describe: Command = {
  name: 'describe',
  summary: 'Print the effective values of one object, each with where it comes from.',
  usage: `${kinds.join('|')} NAME`,
  options: policyOptions,
  examples: ['sallyport describe route orders --env dev', 'sallyport describe egress payments --env prod --json'],
  async run(args, terminal) {
    const [kind, name] = args.positionals
    if (kind === undefined || name === undefined) throw new UsageError(`say what to describe: one of ${kinds.join(', ')}, and its name`)
    if (!isKind(kind)) throw new UsageError(`"${kind}" cannot be described${suggestion(kind, kinds)}: one of ${kinds.join(', ')}`)
    const place = placeOf(args)
    const sound = await loadSound(place, terminal)
    if (sound === undefined) return exit.findings
    const section = sectionOf(sound.policy, kind)
    const found = Object.hasOwn(section.objects, name) ? section.objects[name] : undefined
    if (found === undefined) throw new UsageError(`there is no ${kind} "${name}"${suggestion(name, Object.keys(section.objects))}`)
    const { origins } = sound.loaded
    const rows = flatten(found).map(([path, value]) => ({ path, value, origin: originText(originOf(`${section.name}.${name}`, path, origins)) }))
    if (terminal.json) terminal.out(JSON.stringify({ kind, name, environment: place.environment, values: rows }, null, 2))
    else {
      terminal.out(`${terminal.style('bold', `${kind} ${name}`)} in ${place.environment}, revision ${sound.policy.revision}\n`)
      terminal.out(table(rows.map((row) => [`  ${row.path}`, JSON.stringify(row.value), terminal.style('dim', row.origin)])))
    }
    return exit.ok
  },
}

function isKind(word: string): word is Kind {
  return (kinds as readonly string[]).includes(word)
}

function suggestion(word: string, candidates: readonly string[]): string {
  const close = suggest(word, candidates)
  return close === undefined ? '' : `, did you mean "${close}"?`
}

function sectionOf(policy: Policy, kind: Kind): { readonly name: string; readonly objects: Readonly<Record<string, unknown>> } {
  switch (kind) {
    case 'route':
      return { name: 'routes', objects: Object.fromEntries(policy.routes.map((route) => [route.name, route])) }
    case 'cluster':
      return { name: 'clusters', objects: policy.clusters }
    case 'limit':
      return { name: 'limits', objects: policy.limits }
    case 'access':
      return { name: 'access', objects: policy.access }
    case 'issuer':
      return { name: 'issuers', objects: policy.issuers }
    case 'egress':
      return {
        name: 'egress',
        objects: Object.fromEntries(Object.entries(policy.egress).map(([name, linked]) => [name, { ...linked.service, targets: linked.targets }])),
      }
    case 'caller':
      return { name: 'callers', objects: policy.callers }
    case 'listener':
      return { name: 'listeners', objects: { ...policy.listeners } }
  }
}

type Origins = NonNullable<Awaited<ReturnType<typeof loadSound>>>['loaded']['origins']

/** The origin of the value itself, or of the nearest thing around it that the document says. */
function originOf(object: string, path: string, origins: Origins): Origins[string] | undefined {
  let at = `${object}.${path}`
  while (at.length >= object.length) {
    const origin = origins[at] ?? origins[at.replace(/Ms$/, '')]
    if (origin !== undefined) return origin
    const dot = at.lastIndexOf('.')
    if (dot < 0) return undefined
    at = at.slice(0, dot)
  }
  return undefined
}

function originText(origin: Origins[string] | undefined): string {
  if (origin === undefined || origin.kind === 'default') return 'default'
  return `${origin.file}:${origin.line}:${origin.column}${origin.kind === 'overlay' ? ' (overlay)' : ''}`
}
