import type { JsonValue } from '@bufbuild/protobuf'

/** JSON text without blanks. Unlike `JSON.stringify` it keeps the sign of minus zero, which a double has and ProtoJSON can say. */
export function jsonText(json: JsonValue): string {
  return holdsMinusZero(json) ? withMinusZero(json) : JSON.stringify(json)
}

function holdsMinusZero(json: JsonValue): boolean {
  if (typeof json !== 'object' || json === null) return Object.is(json, -0)
  return Object.values(json).some((value) => value !== undefined && holdsMinusZero(value))
}

function withMinusZero(json: JsonValue): string {
  if (Object.is(json, -0)) return '-0'
  if (typeof json !== 'object' || json === null) return JSON.stringify(json)
  if (Array.isArray(json)) return `[${json.map(withMinusZero).join()}]`
  const members = Object.entries(json).filter(([, value]) => value !== undefined)
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${withMinusZero(value)}`).join()}}`
}
