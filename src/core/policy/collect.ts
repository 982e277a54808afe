import { didYouMean } from '../suggest.ts'
import { namePattern } from './document/fields.ts'
import { plannedKey } from './document/planned.ts'
import { fixedSections, schemaOf, sectionNames } from './document.ts'
import type { MapNode, Member, Node } from './read/node.ts'
import type { ReadFile } from './read.ts'
import type { Report } from './report.ts'
import { quote } from './shape/words.ts'

/** `section.name` as the files say it, before anything is known about its shape. */
export interface RawObject extends Member {
  readonly section: string
  readonly name: string
  /** Dotted paths in it that its file says and that could not be read. */
  readonly dropped: readonly string[]
}

/** `section.name` of every object. */
export function idOf(section: string, name: string): string {
  return `${section}.${name}`
}

/** Merges the sections of all files; the same name twice in one section is an error that names both places. */
export function collect(files: readonly ReadFile[], report: Report): ReadonlyMap<string, RawObject> {
  const objects = new Map<string, RawObject>()
  for (const file of files) {
    for (const object of objectsOf(file, report)) {
      const id = idOf(object.section, object.name)
      if (file.cut !== undefined) report.markBroken(id, object.key, file.cut.why)
      const before = objects.get(id)
      if (before === undefined) objects.set(id, object)
      else reportTwice(before, object, report)
    }
  }
  return objects
}

/** The objects of one file. What is no section or cannot be an object is reported and left out. */
export function objectsOf(file: ReadFile, report: Report): readonly RawObject[] {
  const { root } = file
  const start = { source: file.source, offset: 0 }
  if (root === undefined || (root.kind === 'scalar' && root.value === null)) {
    if (file.cut === undefined)
      report.warn({ code: 'file_empty', at: start, message: 'The file says nothing.', hint: 'Remove it, or write "sallyport: v1" and sections.' })
    return []
  }
  if (root.kind !== 'map') {
    if (file.cut === undefined)
      report.error({
        code: 'file_shape',
        at: root.at,
        message: 'A policy file is one mapping of sections.',
        hint: 'Begin with "sallyport: v1". A file of mock answers is named by `mock:` in an egress environment.',
      })
    return []
  }
  checkVersion(root, file, report)
  const objects: RawObject[] = []
  for (const [section, member] of root.members) {
    if (section === 'sallyport' || section === '$schema') continue
    if (!sectionNames.includes(section)) unknownSection(section, member, report)
    else objects.push(...membersOf(section, member, file, report))
  }
  return objects
}

function checkVersion(root: MapNode, { source, cut }: ReadFile, report: Report): void {
  const version = root.members.get('sallyport')
  if (version === undefined) {
    if (cut === undefined)
      report.error({
        code: 'version_missing',
        at: { source, offset: 0 },
        message: 'The file does not say which format it has.',
        hint: 'Begin it with "sallyport: v1".',
      })
  } else if (version.value.kind !== 'scalar' || version.value.value !== 'v1') {
    report.error({
      code: 'version_unknown',
      at: version.value.at,
      message: `${quote(version.value)} is not a format that this version reads.`,
      hint: 'Write "sallyport: v1".',
    })
  }
}

function unknownSection(section: string, { key }: Member, report: Report): void {
  const planned = plannedKey('', section)
  if (planned !== undefined) report.error({ code: 'not_available', at: key, ...planned })
  else
    report.error({
      code: 'key_unknown',
      at: key,
      message: `"${section}" is not a section.`,
      hint: didYouMean(section, sectionNames) ?? `Sections are ${sectionNames.join(', ')}.`,
    })
}

function membersOf(section: string, { key, value }: Member, { dropped }: ReadFile, report: Report): readonly RawObject[] {
  if (value.kind !== 'map') {
    const empty = value.kind === 'scalar' && value.value === null
    report.error({
      code: empty ? 'value_missing' : 'type_wrong',
      at: empty ? key : value.at,
      message: empty ? `The section "${section}" says nothing.` : `The section "${section}" is a mapping of names.`,
      hint: empty ? 'Remove it, or write names under it.' : `Write names under "${section}:", indented, each with its own mapping.`,
    })
    return []
  }
  const gone = Map.groupBy(
    dropped.filter(({ path }) => path.length > 2 && path[0] === section),
    ({ path }) => path[1],
  )
  const droppedOf = (name: string) => (gone.get(name) ?? []).map(({ path }) => path.slice(2).join('.'))
  return Array.from(value.members, ([name, member]) => ({ section, name, ...member, dropped: droppedOf(name) })).filter((object) => isNamed(object, report))
}

function isNamed({ section, name, key }: RawObject, report: Report): boolean {
  if (Object.hasOwn(fixedSections, section)) {
    if (schemaOf(section, name) !== undefined) return true
    const known = Object.keys(fixedSections[section as keyof typeof fixedSections])
    report.error({
      code: 'key_unknown',
      at: key,
      message: `"${name}" is not known in "${section}".`,
      hint: didYouMean(name, known) ?? `Known here: ${known.join(', ')}.`,
    })
    return false
  }
  if (namePattern.test(name)) return true
  report.error({ code: 'key_invalid', at: key, message: `"${name}" cannot be a name.`, hint: 'Names have up to 63 lower-case letters, digits, "-" and "_".' })
  return false
}

function reportTwice(before: RawObject, again: RawObject, report: Report): void {
  const id = idOf(again.section, again.name)
  const { line, column } = before.key.source.position(before.key.offset)
  const message = `"${again.name}" is given twice in "${again.section}": first at ${before.key.source.file}:${line}:${column}.`
  report.error({ code: 'name_repeated', at: again.key, message, hint: 'Give one of the two another name.', object: id })
}

/** Files that other files name as mocks: they are no policies. */
export function mockPaths(files: readonly ReadFile[]): ReadonlySet<string> {
  const paths = new Set<string>()
  for (const { root } of files) {
    for (const service of membersIn(memberNode(root, 'egress'))) {
      for (const target of membersIn(memberNode(service, 'environments'))) {
        const mock = memberNode(target, 'mock')
        if (mock?.kind === 'scalar' && typeof mock.value === 'string') paths.add(mock.value)
      }
    }
  }
  return paths
}

function memberNode(node: Node | undefined, key: string): Node | undefined {
  return node?.kind === 'map' ? node.members.get(key)?.value : undefined
}

function membersIn(node: Node | undefined): readonly Node[] {
  return node?.kind === 'map' ? Array.from(node.members.values(), (member) => member.value) : []
}
