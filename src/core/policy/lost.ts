import { suggest } from '../suggest.ts'
import type { RawObject } from './collect.ts'
import { namePattern } from './document/fields.ts'
import { sectionNames } from './document.ts'
import { lookAtRoute, lookAtTexts, type Sight } from './link/sight.ts'
import { type Member, memberOf, type Node, type Spot } from './read/node.ts'
import type { ReadFile } from './read.ts'

/** A route that a file was meant to hold and that no object stands for. What it took must not fall to a wider route. */
export interface LostRoute {
  /** As the file names it, or the file. */
  readonly name: string
  readonly at: Spot
  readonly why: string
  readonly sight: Sight
}

/** Finds the routes that were lost while reading and collecting; why is reported elsewhere. `textOf` is a file as it was written. */
export function lostRoutes(files: readonly ReadFile[], objects: ReadonlyMap<string, RawObject>, textOf: (file: string) => string): readonly LostRoute[] {
  return files.flatMap((file) => [...inSections(file, objects), ...inDropped(file), ...inCut(file, textOf(file.source.file))])
}

function inSections({ root }: ReadFile, objects: ReadonlyMap<string, RawObject>): readonly LostRoute[] {
  if (root?.kind !== 'map') return []
  return Array.from(root.members).flatMap(([section, member]) => {
    if (section === 'routes') return inRoutes(member, objects)
    if (!sectionNames.includes(section) && suggest(section, sectionNames) === 'routes')
      return named(member.value).map(([name, { key, value }]) => lost(name, key, `"${section}" is not a section`, value))
    return astray(section, member)
  })
}

function inRoutes({ key, value }: Member, objects: ReadonlyMap<string, RawObject>): readonly LostRoute[] {
  if (value.kind === 'scalar') return value.value === null ? [] : [lost('routes', key, 'the section cannot be read', undefined)]
  return named(value).flatMap(([name, { key: at, value: node }]) => {
    if (value.kind === 'list' || !namePattern.test(name)) return [lost(name, at, 'it has no name that can be used', node)]
    if (objects.get(`routes.${name}`)?.key !== at) return [lost(name, at, 'its name is given twice', node)]
    return node.kind === 'map' ? Array.from(node.members).flatMap(([inner, member]) => astray(inner, member)) : []
  })
}

/** A mapping with a match that stands where no route can: a slip of indentation, or another word for the section. */
function astray(name: string, { key, value }: Member): readonly LostRoute[] {
  if (value.kind === 'scalar') return []
  if (memberOf(value, 'match') !== undefined) return [lost(name, key, 'it does not stand in the section "routes"', value)]
  return named(value).flatMap(([inner, member]) => astray(inner, member))
}

/** What reading dropped: whole routes, and parts of a match that stand twice and show a path. What else is dropped makes its route unsure. */
function inDropped({ dropped }: ReadFile): readonly LostRoute[] {
  return dropped.flatMap(({ path, key, value }) => {
    if (path[0] !== 'routes') return value === undefined ? [] : astray(path.at(-1) ?? '', { key, value })
    if (path.length > 2) {
      const part = lost(path[1] ?? '', key, 'its match says something twice', value)
      return path[2] === 'match' && value !== undefined && !part.sight.blind ? [part] : []
    }
    if (path.length === 1 && value !== undefined) return named(value).map(([name, member]) => lost(name, member.key, 'its section stands twice', member.value))
    return [lost(path[1] ?? 'routes', key, 'it cannot be read', value)]
  })
}

const pathText = /(?:[:,[-]\s+|[:,[])(?:"(\/[^"\n]*)"|'(\/[^'\n]*)')|[:,[-]\s+(\/[^\s,"'\]]*)/g
const serviceText = /\bgrpc["']?\s*:\s*["']?([A-Za-z_][\w.]*)/g

/** Of a file that does not parse every text counts that could be a path or a service: any of them may have stood in a route. */
function inCut({ source, cut }: ReadFile, text: string): readonly LostRoute[] {
  if (cut === undefined) return []
  const paths = Array.from(text.matchAll(pathText), ([, double, single, bare]) => double ?? single ?? bare ?? '')
  const services = Array.from(text.matchAll(serviceText), ([, service]) => service ?? '')
  if (paths.length + services.length === 0 && !/routes|match/i.test(text)) return []
  return [{ name: source.file, at: cut.at, why: cut.why, sight: lookAtTexts(paths, services) }]
}

function named(node: Node): readonly (readonly [string, Member])[] {
  if (node.kind === 'list') return node.items.map((item, i) => [String(i), { key: item.at, value: item }] as const)
  return node.kind === 'map' ? Array.from(node.members) : []
}

function lost(name: string, at: Spot, why: string, node: Node | undefined): LostRoute {
  return { name, at, why, sight: lookAtRoute(node, false) }
}
