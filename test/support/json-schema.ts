import type { JsonObject } from '../../src/core/openapi.ts'

type Schema = boolean | JsonObject
type At = readonly [schema: Schema, value: unknown, at: string]

/** Words that say nothing about a value. */
const notes = new Set(['description', 'format', 'contentEncoding', 'deprecated', 'readOnly', 'writeOnly', 'title', 'example', 'x-item-schema'])

/**
 * What a JSON Schema 2020-12 has against a value, with the `$ref`s of a document. It knows the words that our documents use, and throws at any other:
 * a word that nobody checks must not pass.
 */
export function schemaProblems(document: JsonObject, schema: Schema, value: unknown): readonly string[] {
  return check([schema, value, '$'])

  function check([given, what, at]: At): readonly string[] {
    if (typeof given === 'boolean') return given ? [] : [`${at}: nothing may stand here`]
    return Object.entries(given).flatMap(([word, said]) => (notes.has(word) ? [] : checkWord(word, said, given, what, at)))
  }

  function checkWord(word: string, said: unknown, whole: JsonObject, what: unknown, at: string): readonly string[] {
    const say = (holds: boolean) => (holds ? [] : [`${at}: ${word} ${JSON.stringify(said)} does not take ${JSON.stringify(what) ?? 'undefined'}`])
    switch (word) {
      case '$ref':
        return check([resolve(String(said)), what, at])
      case 'type':
        return say((Array.isArray(said) ? said : [said]).some((type) => isOf(type, what)))
      case 'enum':
        return say(Array.isArray(said) && said.includes(what))
      case 'const':
        return say(said === what)
      case 'pattern':
        return say(typeof what !== 'string' || new RegExp(String(said), 'u').test(what))
      case 'minimum':
        return say(typeof what !== 'number' || what >= Number(said))
      case 'maximum':
        return say(typeof what !== 'number' || what <= Number(said))
      case 'anyOf':
        return say((said as readonly Schema[]).some((one) => check([one, what, at]).length === 0)) // anyOf is a list of schemas
      case 'items':
        return Array.isArray(what) ? what.flatMap((item, i) => check([said as Schema, item, `${at}[${i}]`])) : []
      default:
        return checkMembers(word, said, whole, what, at)
    }
  }

  function checkMembers(word: string, said: unknown, whole: JsonObject, what: unknown, at: string): readonly string[] {
    const members = isOf('object', what) ? (what as Readonly<Record<string, unknown>>) : {}
    const schemas = said as Readonly<Record<string, Schema>> // of the words below that hold schemas by name
    switch (word) {
      case 'required':
        if (!isOf('object', what)) return []
        return (said as readonly string[]).filter((name) => !Object.hasOwn(members, name)).map((name) => `${at}: "${name}" is missing`)
      case 'properties':
        return Object.entries(schemas).flatMap(([name, one]) => (Object.hasOwn(members, name) ? check([one, members[name], `${at}.${name}`]) : []))
      case 'dependentSchemas':
        return Object.entries(schemas).flatMap(([name, one]) => (Object.hasOwn(members, name) ? check([one, what, at]) : []))
      case 'propertyNames':
        return Object.keys(members).flatMap((name) => check([said as Schema, name, `${at} (name)`]))
      case 'additionalProperties': {
        const known = new Set(Object.keys((whole['properties'] ?? {}) as JsonObject))
        return Object.entries(members).flatMap(([name, one]) => (known.has(name) ? [] : check([said as Schema, one, `${at}.${name}`])))
      }
      default:
        throw new Error(`"${word}" is no word that is checked`)
    }
  }

  function resolve(ref: string): Schema {
    let at: unknown = document
    for (const step of ref.replace('#/', '').split('/')) at = (at as Readonly<Record<string, unknown>>)[step]
    if (at === undefined) throw new Error(`${ref} leads nowhere`)
    return at as Schema
  }
}

function isOf(type: unknown, value: unknown): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'null':
      return value === null
    default:
      return typeof value === type
  }
}
