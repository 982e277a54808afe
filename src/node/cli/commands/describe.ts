import { keptOf } from '../../../core/policy/kept.ts'
import type { Loaded, Origin } from '../../../core/policy/loading.ts'
import type { Policy } from '../../../core/policy/policy.ts'
import { suggest } from '../../../core/suggest.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { loadSound, placeOf } from '../load.ts'
import { table } from '../terminal.ts'

/** What can be described, with the section it stands in. */
const sections = {
  route: 'routes',
  cluster: 'clusters',
  limit: 'limits',
  access: 'access',
  decider: 'deciders',
  issuer: 'issuers',
  'api-keys': 'apiKeys',
  certificate: 'certificates',
  token: 'tokens',
  exchange: 'exchanges',
  resource: 'resources',
  egress: 'egress',
  caller: 'callers',
  listener: 'listeners',
} as const
const kinds = Object.keys(sections)

export const describe: Command = {
  name: 'describe',
  summary: 'Print the effective values of one object, as the files would say them, each with where it comes from.',
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
    const rows = rowsOf(sound.loaded.origins, kind, name)
    if (rows.length === 0) throw new UsageError(`there is no ${kind} "${name}"${suggestion(name, namesIn(sound.loaded.origins, kind))}`)
    const bindings = kind === 'route' ? bindingsOf(sound.policy, name) : []
    const route = kind === 'route' ? sound.policy.routes.find((one) => one.name === name) : undefined
    const retries = route === undefined ? undefined : keptOf(route, sound.policy)
    if (terminal.json) terminal.out(JSON.stringify({ kind, name, environment: place.environment, values: rows.map(plainRow), bindings, retries }, null, 2))
    else {
      terminal.out(`${terminal.style('bold', `${kind} ${name}`)} in ${place.environment}, revision ${sound.policy.revision}\n`)
      terminal.out(table(rows.map(([path, origin]) => [`  ${path}`, origin.value, terminal.style('dim', originText(origin))])))
      if (retries !== undefined) terminal.out(`\nretry ${retries}`)
      if (bindings.length > 0) terminal.out(`\n${terminal.style('bold', 'HTTP bindings')}\n${bindings.map((binding) => `  ${binding}`).join('\n')}`)
    }
    return exit.ok
  },
}

function isKind(word: string): word is keyof typeof sections {
  return Object.hasOwn(sections, word)
}

function suggestion(word: string, candidates: readonly string[]): string {
  const close = suggest(word, candidates)
  return close === undefined ? '' : `, did you mean "${close}"?`
}

type Row = readonly [path: string, origin: Origin]

/** A policy that a route holds itself goes by the route's name. */
function rowsOf(origins: Loaded['origins'], kind: keyof typeof sections, name: string): readonly Row[] {
  const under = (prefix: string) => Object.entries(origins).filter(([path]) => path === prefix || path.startsWith(`${prefix}.`))
  const rows = kind === 'limit' ? inEffect(under(`limits.${name}`)) : under(`${sections[kind]}.${name}`)
  return kind === 'access' && rows.length === 0 ? under(`routes.${name}.access`) : rows
}

/** A default that a limit of its kind has no use for would be read as if it did something. */
const useOf: Readonly<Record<string, string>> = { zone: 'quota', burst: 'rate' }

function inEffect(rows: readonly Row[]): readonly Row[] {
  const memberOf = ([path]: Row) => path.split('.')[2] ?? ''
  const members = new Set(rows.map(memberOf))
  return rows.filter((row) => row[1].kind !== 'default' || members.has(useOf[memberOf(row)] ?? memberOf(row)))
}

function namesIn(origins: Loaded['origins'], kind: keyof typeof sections): readonly string[] {
  const names = Object.keys(origins).flatMap((path) => {
    const [section, name = ''] = path.split('.')
    return section === sections[kind] ? [name] : []
  })
  return Array.from(new Set(names))
}

function plainRow([path, origin]: Row) {
  return { path, value: JSON.parse(origin.value) as unknown, origin: originText(origin) }
}

function originText({ kind, file, line, column }: Origin): string {
  if (kind === 'default') return 'default'
  return `${file}:${line}:${column}${kind === 'overlay' ? ' (overlay)' : ''}`
}

/** How JSON over HTTP reaches the RPCs of a gRPC route. */
function bindingsOf(policy: Policy, name: string): readonly string[] {
  const rpcs = policy.routes.find((route) => route.name === name)?.match.grpc?.rpcs ?? []
  return rpcs.flatMap(({ method: rpc, bindings }) => bindings.map(({ method, template }) => `${method} ${template} → ${rpc}`))
}
