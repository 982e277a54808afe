import { expressionParams } from '../../expression.ts'
import { isTemplateError, parseTemplate, type Template } from '../../model/template.ts'
import type { AccessDocument } from '../document/access.ts'
import type { AccessPolicy, Rule } from '../linked/access.ts'
import type { Path } from '../read/node.ts'
import { type Entry, type Linking, placeIn, suggestion } from './linking.ts'
import { hostsOverlap, overlap, type Way, waysInto, withHead } from './takes.ts'
import type { Matched } from './ties.ts'

/** An access policy with where it stands, and the routes that use it. */
export interface UsedPolicy {
  readonly entry: Entry<AccessDocument>
  readonly policy: AccessPolicy
  readonly routes: readonly Matched[]
}

/** A route with the ways into it. */
export interface Reached extends Matched {
  readonly ways: readonly Way[]
}

/** An access policy all of whose routes are known, with the ways into them. */
export interface ReachedPolicy extends UsedPolicy {
  readonly reached: readonly Reached[]
}

/**
 * Rules that no request on any of their policy's routes can match, RPCs that do not exist, facts of paths that are not there.
 * A deny that never fires because of a slip is worth as many words as an allow.
 * Answers the policies of which that could be told.
 */
export function checkReach(linking: Linking, policies: readonly UsedPolicy[]): readonly ReachedPolicy[] {
  const ways = new Map<Matched['route'], readonly Way[]>()
  const known: ReachedPolicy[] = []
  for (const used of policies) {
    const routes = used.routes.map((matched): Reached => {
      const known = ways.get(matched.route) ?? waysInto(matched.route)
      ways.set(matched.route, known)
      return { ...matched, ways: known }
    })
    // Routes whose RPCs are not known could match anything.
    if (routes.length === 0 || routes.some((reached) => reached.ways.length === 0)) continue
    for (const rule of used.policy.rules) checkRule(linking, used, rule, routes)
    known.push({ ...used, reached: routes })
  }
  return known
}

function checkRule(linking: Linking, used: UsedPolicy, rule: Rule, routes: readonly Reached[]): void {
  const path = ['rules', (used.entry.value?.rules ?? []).findIndex(({ id }) => id === rule.id), rule.effect]
  if (!checkRpcs(linking, used, rule, routes, path)) return
  const ways = routes.flatMap(waysBy(rule))
  checkVariables(linking, used, { rule, routes, ways, path })
  if (ways.length > 0) return
  linking.report.warn({
    code: 'rule_never',
    at: placeIn(used.entry, path, 'key'),
    object: used.entry.id,
    message: `The rule "${rule.id}" can never match: no route that uses it takes such methods, paths, RPCs and hosts.`,
    hint: `Routes that use it: ${routes
      .slice(0, 5)
      .map(({ route }) => route.name)
      .join(', ')}${routes.length > 5 ? ', …' : ''}.`,
  })
}

/** Whether some request of the route could fit the rule by method, path, RPC and host. */
export function canReach(rule: Rule, reached: Reached): boolean {
  return waysBy(rule)(reached).length > 0
}

function waysBy(rule: Rule): (reached: Reached) => readonly Way[] {
  const templates = rule.matcher.paths?.map((source) => parseTemplate(source)).filter((template) => isTemplate(template))
  const methods = rule.matcher.methods === undefined ? undefined : withHead(rule.matcher.methods)
  return (reached) => waysOf(rule, templates, methods, reached)
}

function isTemplate(parsed: ReturnType<typeof parseTemplate>): parsed is Template {
  return !isTemplateError(parsed)
}

/** The ways into a route by which a request can come that the rule speaks of. */
function waysOf(rule: Rule, templates: readonly Template[] | undefined, methods: ReadonlySet<string> | undefined, { route, ways }: Reached): readonly Way[] {
  const { grpc, hosts } = rule.matcher
  if (hosts !== undefined && !hostsOverlap(hosts, route.match.hosts)) return []
  return ways.filter((way) => {
    if (methods !== undefined && way.methods !== undefined && methods.isDisjointFrom(withHead(way.methods))) return false
    if (grpc !== undefined && !grpc.some((one) => fitsRpc(one, way.rpc))) return false
    return templates === undefined || templates.some((template) => overlap(template, way.template))
  })
}

function fitsRpc(pattern: string, rpc: string | undefined): boolean {
  return rpc !== undefined && (pattern === rpc || (pattern.endsWith('/*') && rpc.startsWith(pattern.slice(0, -1))))
}

/** A method that its service does not have is an unresolved name. Answers false when it reported one. */
function checkRpcs(linking: Linking, used: UsedPolicy, rule: Rule, routes: readonly Reached[], path: Path): boolean {
  let sound = true
  for (const [i, name] of (rule.matcher.grpc ?? []).entries()) {
    const service = name.slice(0, name.indexOf('/'))
    const grpc = routes.find(({ route }) => route.match.grpc?.service === service)?.route.match.grpc
    if (grpc === undefined || name.endsWith('/*') || grpc.rpcs.some((rpc) => `${service}/${rpc.method}` === name)) continue
    const names = new Set(grpc.rpcs.map((rpc) => `${service}/${rpc.method}`))
    const hint = suggestion(linking, name, names) ?? `It has ${grpc.rpcs.map((rpc) => rpc.method).join(', ')}.`
    linking.report.error({
      code: 'rpc_unknown',
      at: placeIn(used.entry, [...path, 'grpc', i]),
      object: used.entry.id,
      message: `"${name.slice(service.length + 1)}" is not an RPC of ${service}.`,
      hint,
    })
    sound = false
  }
  return sound
}

/** A rule, the routes of its policy, and the ways into them that it speaks of. `path` is its place. */
interface Speaking {
  readonly rule: Rule
  readonly routes: readonly Reached[]
  readonly ways: readonly Way[]
  readonly path: Path
}

/** A path variable is the route's: where none of a policy's routes has it, or not every way in, what asks for it there refuses. */
function checkVariables(linking: Linking, used: UsedPolicy, speaking: Speaking): void {
  const { rule, routes, ways } = speaking
  const names = new Set(routes.flatMap((reached) => reached.ways.flatMap(variablesOf)))
  for (const { name, at } of variablesAsked(used, speaking)) {
    const spot = { at: placeIn(used.entry, at), object: used.entry.id }
    if (!names.has(name)) {
      const known = names.size === 0 ? 'Name a variable in the path of a route.' : `Variables are ${Array.from(names).slice(0, 12).join(', ')}.`
      linking.report.warn({
        code: 'variable_unknown',
        ...spot,
        message: `No route that uses the rule "${rule.id}" has a path variable "${name}": whoever it is asked of is refused.`,
        hint: suggestion(linking, name, names) ?? known,
      })
      continue
    }
    const without = ways.filter((way) => way.rpc !== undefined && !variablesOf(way).includes(name))
    if (without.length === 0) continue
    const listed = Array.from(new Set(without.map(wordsOf)))
    linking.report.warn({
      code: 'variable_partial',
      ...spot,
      message: `The rule "${rule.id}" asks for the path variable "${name}", and ${listed.slice(0, 3).join(', ')}${listed.length > 3 ? ` and ${listed.length - 3} more` : ''} ${listed.length > 1 ? 'have' : 'has'} none: ${partly[rule.effect]}.`,
      hint: 'Say with "paths" which requests the rule is about; what comes by another path carries the value in its message, where no rule can see it.',
    })
  }
}

/** What it means for a request that the rule asks for a variable which its path does not have. */
const partly: Readonly<Record<Rule['effect'], string>> = {
  allow: 'it lets nobody pass there',
  deny: 'it refuses everybody there',
  audit: 'it records nobody there',
}

function variablesOf({ template }: Way): readonly string[] {
  return template.variables.map(({ name }) => name)
}

function wordsOf({ methods, template }: Way): string {
  return methods === undefined ? template.source : `${Array.from(methods).join('|')} ${template.source}`
}

/** The path variables that a rule reads, with where it says so. */
function variablesAsked(used: UsedPolicy, { rule, path }: Speaking): readonly { readonly name: string; readonly at: Path }[] {
  const said = (used.entry.value?.rules ?? []).findIndex(({ id }) => id === rule.id)
  return [
    ...(rule.matcher.claims ?? []).flatMap((test) =>
      test.kind === 'equals' && test.attribute.startsWith('path.')
        ? [{ name: test.attribute.slice('path.'.length), at: [...path, 'claims', test.path, 'equals'] }]
        : [],
    ),
    ...Array.from(rule.when === undefined ? [] : expressionParams(rule.when), (name) => ({ name, at: ['rules', said, 'when'] })),
  ]
}
