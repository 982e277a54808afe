import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Type as FieldType,
  type FileDescriptorProto,
} from '@bufbuild/protobuf/wkt'

type Kind = 'message' | 'enum'

/** What is being checked: problems end up in `found`, in the order of the files. */
interface Check {
  /** Every message and enum by its name with a leading dot. */
  readonly types: ReadonlyMap<string, Kind>
  readonly found: string[]
}

/** Problems beyond these are counted only. */
const most = 5

/**
 * What keeps the files of a set from being used together, as one clause that names the proto file and message (or RPC) of each problem;
 * undefined when nothing does. `others` are files that may be imported without being in the set.
 */
export function setProblem(files: readonly FileDescriptorProto[], others: ReadonlyMap<string, FileDescriptorProto>): string | undefined {
  const check: Check = { types: typesIn([...others.values(), ...files]), found: [...importProblems(files, others), ...nameProblems(files)] }
  for (const file of files) checkFile(check, file)
  const { found } = check
  if (found.length === 0) return undefined
  const rest = found.length > most ? [`and ${found.length - most} more`] : []
  return [...found.slice(0, most), ...rest].join('; ')
}

function importProblems(files: readonly FileDescriptorProto[], others: ReadonlyMap<string, FileDescriptorProto>): readonly string[] {
  const present = new Set(files.map(({ name }) => name))
  const missing = files.flatMap(({ name, dependency }) =>
    dependency
      .filter((wanted) => !present.has(wanted) && !others.has(wanted))
      .map((wanted) => `${name} imports ${wanted}, which is not in the set (build it with imports)`),
  )
  const circle = circleIn(files)
  return circle === undefined ? missing : [...missing, `${circle.join(' imports ')}: imports go in a circle`]
}

/** A chain of imports that ends where it began. Without recursion: the depth is the set's to choose. */
function circleIn(files: readonly FileDescriptorProto[]): readonly string[] | undefined {
  const byName = new Map(files.map((file) => [file.name, file]))
  const done = new Set<string>()
  for (const { name } of files) {
    const trail: { readonly name: string; next: number }[] = done.has(name) ? [] : [{ name, next: 0 }]
    const open = new Set<string>(trail.map((step) => step.name))
    for (let step = trail.at(-1); step !== undefined; step = trail.at(-1)) {
      const wanted = byName.get(step.name)?.dependency[step.next++]
      if (wanted === undefined) {
        done.add(step.name)
        open.delete(step.name)
        trail.pop()
      } else if (open.has(wanted)) {
        return [...trail.slice(trail.findIndex((each) => each.name === wanted)).map((each) => each.name), wanted]
      } else if (!done.has(wanted) && byName.has(wanted)) {
        open.add(wanted)
        trail.push({ name: wanted, next: 0 })
      }
    }
  }
  return undefined
}

function nameProblems(files: readonly FileDescriptorProto[]): readonly string[] {
  const problems: string[] = []
  const owners = new Map<string, string>()
  const names = new Set<string>()
  for (const file of files) {
    if (file.name === '') problems.push('a file has no name')
    else if (names.has(file.name)) problems.push(`${file.name} is in the set twice`)
    else {
      for (const name of [...typeNames(file).map(([type]) => type), ...file.service.map((service) => qualified(file.package, service.name))]) {
        const other = owners.get(name)
        if (other === undefined) owners.set(name, file.name)
        else problems.push(`${file.name}: ${name.slice(1)} is defined a second time${other === file.name ? '' : `, first in ${other}`}`)
      }
    }
    names.add(file.name)
  }
  return problems
}

function checkFile(check: Check, file: FileDescriptorProto): void {
  const scope = qualified(file.package, '').slice(0, -1)
  for (const message of file.messageType) checkMessage(check, file, message, scope)
  for (const each of file.enumType) checkEnum(check, file, each, scope)
  for (const extension of file.extension) checkField(check, file, 'extension', extension, undefined)
  for (const service of file.service) {
    const methods = new Set<string>()
    for (const { name, inputType, outputType } of service.method) {
      const rpc = `${file.name}: RPC ${qualified(file.package, service.name).slice(1)}/${name}`
      if (methods.has(name)) check.found.push(`${rpc} is defined a second time`)
      methods.add(name)
      for (const [what, type] of [['request', inputType] as const, ['answer', outputType] as const])
        if (check.types.get(type) !== 'message') check.found.push(`${rpc}: its ${what} type "${type.replace(/^\./, '')}" is not a message of the set`)
    }
  }
}

function checkMessage(check: Check, file: FileDescriptorProto, message: DescriptorProto, scope: string): void {
  const name = `${scope}.${message.name}`
  const place = `message ${name.slice(1)}`
  const taken = new Map<number | string, string>()
  for (const field of message.field) {
    for (const key of [field.number, field.name]) {
      const other = taken.get(key)
      if (other !== undefined)
        check.found.push(`${file.name}: ${place}: the fields "${other}" and "${field.name}" share ${typeof key === 'number' ? `number ${key}` : 'a name'}`)
      taken.set(key, field.name)
    }
    checkField(check, file, place, field, message)
  }
  for (const extension of message.extension) checkField(check, file, place, extension, undefined)
  for (const each of message.enumType) checkEnum(check, file, each, name)
  for (const nested of message.nestedType) checkMessage(check, file, nested, name)
}

function checkEnum(check: Check, file: FileDescriptorProto, { name, value }: EnumDescriptorProto, scope: string): void {
  if (value.length === 0) check.found.push(`${file.name}: enum ${`${scope}.${name}`.slice(1)} has no value`)
}

function checkField(check: Check, file: FileDescriptorProto, place: string, field: FieldDescriptorProto, message: DescriptorProto | undefined): void {
  const say = (problem: string) => check.found.push(`${file.name}: ${place}: field "${field.name}" ${problem}`)
  const { typeName, type, extendee } = field
  const wanted: Kind | undefined = type === FieldType.ENUM ? 'enum' : type === FieldType.MESSAGE || type === FieldType.GROUP ? 'message' : undefined
  if (FieldType[type] === undefined) say(`has the unknown type ${type}`)
  else if (wanted !== undefined && check.types.get(typeName) !== wanted) say(`is of type "${typeName.replace(/^\./, '')}", which is no ${wanted} of the set`)
  else if (wanted === undefined && typeName !== '') say(`names the type "${typeName.replace(/^\./, '')}" and is a scalar`)
  if (message === undefined && check.types.get(extendee) !== 'message') say(`extends "${extendee.replace(/^\./, '')}", which is no message of the set`)
  // A field without a oneof reads as being in the first: only where one is said to be there can it be wrong.
  if (message !== undefined && Object.hasOwn(field, 'oneofIndex') && message.oneofDecl[field.oneofIndex] === undefined)
    say(`is in oneof ${field.oneofIndex}, which its message does not have`)
  if (!Number.isInteger(field.number) || field.number < 1 || field.number > 536_870_911) say(`has the number ${field.number}`)
}

function typesIn(files: readonly FileDescriptorProto[]): ReadonlyMap<string, Kind> {
  return new Map(files.flatMap((file) => typeNames(file)))
}

function typeNames(file: FileDescriptorProto): readonly (readonly [name: string, kind: Kind])[] {
  const names: (readonly [string, Kind])[] = []
  const add = (scope: string, messages: readonly DescriptorProto[], enums: readonly EnumDescriptorProto[]): void => {
    for (const each of enums) names.push([`${scope}.${each.name}`, 'enum'])
    for (const each of messages) {
      names.push([`${scope}.${each.name}`, 'message'])
      add(`${scope}.${each.name}`, each.nestedType, each.enumType)
    }
  }
  add(qualified(file.package, '').slice(0, -1), file.messageType, file.enumType)
  return names
}

/** With a leading dot, as descriptors refer to types. */
function qualified(scope: string, name: string): string {
  return scope === '' ? `.${name}` : `.${scope}.${name}`
}
