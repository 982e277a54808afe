import type { MockAnswer } from '../../model/mock-book.ts'

type Json = Readonly<Record<string, unknown>>

/** An example may be null, so it stands in something. */
interface Example {
  readonly value: unknown
}

/** References that lead to references. */
const longestChain = 16

/** The examples of one OpenAPI document. */
export class Examples {
  readonly #document: Json
  /** Undefined while it is made, too: a schema that holds itself does so without an example. */
  readonly #made = new Map<Json, Example | undefined>()

  constructor(document: Json) {
    this.#document = document
  }

  /** What a reference inside the document leads to; anything else is itself. Undefined where it leads nowhere, or out of the document. */
  resolve(said: unknown): unknown {
    let here = said
    for (let links = 0; isRecord(here) && typeof here['$ref'] === 'string'; links++) {
      if (links === longestChain || !here['$ref'].startsWith('#')) return undefined
      here = this.#at(here['$ref'].slice(1))
    }
    return here
  }

  /** The answer of the lowest 2xx that has an example in JSON or no body; `2XX` counts as 200, after every number. */
  answerOf(responses: unknown): Pick<MockAnswer, 'status' | 'headers' | 'answer'> | undefined {
    if (!isRecord(responses)) return undefined
    for (const code of Object.keys(responses).filter(isGood).toSorted()) {
      const response = this.resolve(responses[code])
      if (!isRecord(response)) continue
      const status = code === '2XX' ? 200 : Number(code)
      const content = response['content']
      if (!isRecord(content) || Object.keys(content).length === 0) return { status, headers: [], answer: '' }
      for (const type of Object.keys(content).filter(isJson)) {
        const example = this.#ofMedia(this.resolve(content[type]))
        if (example !== undefined) return { status, headers: [['content-type', type]], answer: JSON.stringify(example.value) }
      }
    }
    return undefined
  }

  #ofMedia(media: unknown): Example | undefined {
    if (!isRecord(media)) return undefined
    if ('example' in media) return { value: media['example'] }
    const named = isRecord(media['examples']) ? Object.values(media['examples']) : []
    for (const one of named) {
      const example = this.resolve(one)
      if (isRecord(example) && 'value' in example) return { value: example['value'] }
    }
    return this.#ofSchema(media['schema'])
  }

  #ofSchema(said: unknown): Example | undefined {
    const schema = this.resolve(said)
    if (!isRecord(schema)) return undefined
    if (this.#made.has(schema)) return this.#made.get(schema)
    this.#made.set(schema, undefined)
    const example = this.#make(schema)
    this.#made.set(schema, example)
    return example
  }

  /** What the schema itself gives, or its members together: an object that lacks what it must have is no example. */
  #make(schema: Json): Example | undefined {
    const { examples, enum: values, allOf, oneOf, anyOf, properties, items } = schema
    if ('example' in schema) return { value: schema['example'] }
    if (Array.isArray(examples) && examples.length > 0) return { value: examples[0] }
    if ('const' in schema) return { value: schema['const'] }
    if ('default' in schema) return { value: schema['default'] }
    if (Array.isArray(values) && values.length > 0) return { value: values[0] }
    if (Array.isArray(allOf)) return this.#ofAll([...allOf, { ...schema, allOf: undefined }])
    const either = [oneOf, anyOf].flatMap((some) => (Array.isArray(some) ? some : []))
    if (either.length > 0) return either.map((one) => this.#ofSchema(one)).find((one) => one !== undefined)
    if (isRecord(properties)) return this.#ofObject(schema, properties)
    const item = items === undefined ? undefined : this.#ofSchema(items)
    return item && { value: [item.value] }
  }

  #ofAll(parts: readonly unknown[]): Example | undefined {
    const found = parts.flatMap((part) => this.#ofSchema(part) ?? [])
    if (found.length === 1 && !isRecord(found[0]?.value)) return found[0]
    const value = Object.fromEntries(found.flatMap((one) => (isRecord(one.value) ? Object.entries(one.value) : [])))
    return wholeOf(
      value,
      parts.flatMap((part) => requiredOf(this.resolve(part))),
    )
  }

  #ofObject(schema: Json, properties: Json): Example | undefined {
    const members = Object.entries(properties).flatMap(([name, property]) => {
      const example = this.#ofSchema(property)
      return example === undefined ? [] : [[name, example.value] as const]
    })
    return wholeOf(Object.fromEntries(members), requiredOf(schema))
  }

  /** RFC 6901, in a URI fragment. */
  #at(pointer: string): unknown {
    let here: unknown = this.#document
    for (const step of pointer.split('/').slice(1)) {
      const key = unescaped(step)
      if (typeof here !== 'object' || here === null || key === undefined || !Object.hasOwn(here, key)) return undefined
      here = (here as Json)[key] // an own member, of a type nobody knows
    }
    return here
  }
}

function wholeOf(value: Json, required: readonly string[]): Example | undefined {
  return Object.keys(value).length > 0 && required.every((name) => Object.hasOwn(value, name)) ? { value } : undefined
}

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function requiredOf(schema: unknown): readonly string[] {
  const required = isRecord(schema) ? schema['required'] : undefined
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
}

function isGood(code: string): boolean {
  return /^2(?:\d\d|XX)$/.test(code)
}

function isJson(type: string): boolean {
  return /^application\/(?:[^\s;]+\+)?json\s*(?:;|$)/i.test(type)
}

function unescaped(step: string): string | undefined {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return undefined
  }
}
