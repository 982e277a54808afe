/** The leaves of a plain value by dotted path, in order. Bytes are summed up; undefined members are left out. */
export function flatten(value: unknown, at = ''): readonly (readonly [path: string, leaf: unknown])[] {
  if (value === undefined) return []
  if (value instanceof Uint8Array) return [[at, `${value.length} bytes`]]
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one !== 'object' || one === null)) return [[at, value]]
    return value.flatMap((one, index) => flatten(one, `${at}[${index}]`))
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, member]) => flatten(member, at === '' ? name : `${at}.${name}`))
  }
  return [[at, value]]
}
