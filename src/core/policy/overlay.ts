import type * as z from 'zod'
import { didYouMean } from '../suggest.ts'
import { idOf, objectsOf, type RawObject } from './collect.ts'
import { factsOf } from './document/build.ts'
import { namedSections, schemaOf } from './document.ts'
import { type ListNode, type MapNode, type Member, memberOf, type Node, type Path } from './read/node.ts'
import type { ReadFile } from './read.ts'
import type { Report } from './report.ts'
import { candidatesAt } from './shape/schema-at.ts'

/*
 * An overlay changes leaves that the schema marks, and adds rules that deny or audit. Everything else it says is an error: an
 * environment must not come to differ in what it is, only in where and how much.
 */

interface Overlaying {
  readonly report: Report
  readonly id: string
  readonly schema: z.ZodType
}

/** The objects with one environment's overlay laid over them. Positions of what it changed are in its file. */
export function applyOverlay(base: ReadonlyMap<string, RawObject>, overlay: ReadFile, report: Report): ReadonlyMap<string, RawObject> {
  const merged = new Map(base)
  for (const object of objectsOf(overlay, report)) {
    const id = idOf(object.section, object.name)
    const under = base.get(id)
    const schema = schemaOf(object.section, object.name)
    if (under === undefined) reportNew(base, object, report)
    else if (schema !== undefined) merged.set(id, { ...under, value: mergeObject({ report, id, schema }, under, object) })
  }
  return merged
}

function reportNew(base: ReadonlyMap<string, RawObject>, { section, name, key }: RawObject, report: Report): void {
  const names = Array.from(base.values(), (other) => (other.section === section ? other.name : '')).filter((other) => other !== '')
  const what = Object.hasOwn(namedSections, section) ? `"${name}" is not in "${section}"` : `"${section}.${name}" is not given`
  report.error({
    code: 'overlay_adds',
    at: key,
    message: `${what}, and an overlay cannot add it.`,
    hint: didYouMean(name, names) ?? 'Write it in a policy file, where it counts for every environment.',
  })
}

function mergeObject(overlaying: Overlaying, under: RawObject, over: RawObject): Node {
  if (under.value.kind !== 'map' || over.value.kind !== 'map') {
    if (under.value.kind === 'map')
      overlaying.report.error({
        code: 'type_wrong',
        at: over.value.at,
        message: 'An overlay says what changes as a mapping.',
        hint: 'Write the members that change, indented.',
        object: overlaying.id,
      })
    return under.value
  }
  return mergeMap(overlaying, under.value, over.value, [])
}

function mergeMap(overlaying: Overlaying, under: MapNode, over: MapNode, path: Path): MapNode {
  const members = new Map(under.members)
  for (const [name, member] of over.members) {
    const inner = [...path, name]
    const merged = mergeMember(overlaying, members.get(name), member, inner)
    if (merged === undefined) continue
    // One endpoint or several: whichever the overlay says takes the place of the other.
    if (name === 'address') members.delete('endpoints')
    if (name === 'endpoints') members.delete('address')
    members.set(name, { key: member.key, value: merged })
  }
  return { ...under, members }
}

function mergeMember(overlaying: Overlaying, under: Member | undefined, over: Member, path: Path): Node | undefined {
  const { schema, report, id } = overlaying
  const candidates = candidatesAt(schema, path)
  // An unknown key is taken over, so that it is reported like any other.
  if (candidates.length === 0 || candidates.some((candidate) => factsOf(candidate)['x-overridable'] === true)) return over.value
  if (id.startsWith('access.') && path.length === 1 && path[0] === 'rules' && over.value.kind === 'list') return addRules(overlaying, under?.value, over.value)
  if (id.startsWith('routes.') && path.length === 1 && path[0] === 'to' && over.value.kind === 'list') return mergeSplit(overlaying, under?.value, over.value)
  if (over.value.kind === 'map' && (under === undefined || under.value.kind === 'map'))
    return mergeMap(overlaying, under?.value.kind === 'map' ? under.value : { kind: 'map', at: over.value.at, members: new Map() }, over.value, path)
  const hint =
    id.startsWith('egress.') && path[0] === 'environments'
      ? 'Egress targets and credentials are written per environment in the policy file.'
      : 'Change it in the policy file, or write ${NAME} there and set it per environment.'
  report.error({ code: 'overlay_fixed', at: over.key, message: `An overlay cannot change ${path.join('.')}.`, hint, object: id })
  return undefined
}

/** Rules that narrow are added; one that widens must say so, and is named. */
function addRules({ report, id }: Overlaying, under: Node | undefined, over: ListNode): Node {
  const added = over.items.filter((item) => {
    const allow = memberOf(item, 'allow')
    if (allow === undefined) return true
    const widen = memberOf(item, 'widen')?.value
    if (widen?.kind === 'scalar' && widen.value === true) {
      report.warn({
        code: 'overlay_widens',
        at: allow.key,
        message: 'This rule lets pass in one environment what the policy file does not.',
        hint: 'Keep it only if that is meant.',
        object: id,
      })
      return true
    }
    report.error({
      code: 'overlay_widens',
      at: allow.key,
      message: 'An overlay may only narrow access: this rule allows.',
      hint: 'Write it in the policy file, or add widen: true to say that it is meant.',
      object: id,
    })
    return false
  })
  return under?.kind === 'list' ? { ...under, items: [...under.items, ...added] } : (under ?? over)
}

/** A split keeps its destinations; only their weights change. */
function mergeSplit({ report, id }: Overlaying, under: Node | undefined, over: ListNode): Node {
  const base = under === undefined ? [] : under.kind === 'list' ? under.items : [under]
  const items = base.slice()
  for (const item of over.items) {
    const i = base.findIndex((candidate) => destinationOf(candidate) === destinationOf(item))
    const found = items[i]
    const extra = item.kind === 'map' ? Array.from(item.members.keys()).find((key) => !['cluster', 'subset', 'weight'].includes(key)) : undefined
    const weight = memberOf(item, 'weight')
    if (found?.kind === 'map' && weight !== undefined && extra === undefined) {
      items[i] = { ...found, members: new Map(found.members).set('weight', weight) }
      continue
    }
    report.error({
      code: 'overlay_fixed',
      at: item.at,
      message:
        extra === undefined
          ? 'An overlay can only change the weights of destinations that the route has.'
          : `An overlay cannot change "${extra}" of a destination.`,
      hint: 'Write { cluster, subset, weight } as in the policy file, with another weight.',
      object: id,
    })
  }
  return under?.kind === 'list' ? { ...under, items } : (under ?? over)
}

function destinationOf(node: Node): string {
  const text = (key: string): string => {
    const member = memberOf(node, key)?.value
    return member?.kind === 'scalar' ? String(member.value) : ''
  }
  return node.kind === 'map' ? `${text('cluster')}/${text('subset')}` : ''
}
