import { Validator } from '@seriousme/openapi-schema-validator'
import type { JsonObject } from '../../src/core/openapi.ts'

/** What the public validator says against a document; empty when it is OpenAPI 3.1. */
export async function problemsOf(document: JsonObject): Promise<unknown> {
  const validator = new Validator()
  const outcome = await validator.validate(structuredClone(document))
  if (!outcome.valid) return outcome.errors ?? 'invalid'
  return validator.version === '3.1' ? [] : `version ${validator.version}`
}

/** Every operation with its place. */
export function operationsIn(document: JsonObject): readonly { readonly method: string; readonly path: string; readonly operation: Operation }[] {
  // Whoever asks has had the document validated, or looks at what our own code has just written.
  const paths = document['paths'] as unknown as Readonly<Record<string, Readonly<Record<string, Operation>>>>
  return Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })))
}

/** As much of an operation as tests look at. */
export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary?: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonObject; readonly example: unknown }>> }
  readonly responses: Readonly<Record<string, JsonObject>>
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly servers?: readonly JsonObject[]
  readonly [extension: `x-${string}`]: unknown
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly description?: string
  readonly schema: JsonObject
  readonly example: unknown
}

/** The other parameters that one is described to come only together with. */
export function companionsOf({ description = '' }: Parameter, parameters: readonly Parameter[]): readonly Parameter[] {
  const [, names = ''] = /Only together with (.*)\.$/m.exec(description) ?? []
  return Array.from(names.matchAll(/`([^`]*)`/g), ([, name]) => {
    const found = parameters.find((one) => one.in === 'query' && one.name === name)
    if (found === undefined) throw new Error(`"${name}" is needed and not listed`)
    return found
  })
}

/** The query that holds the examples of parameters, as OpenAPI writes lists (form) and maps (deepObject). */
export function queryOf(parameters: readonly Parameter[]): string {
  const pairs = parameters
    .filter((one) => one.in === 'query')
    .flatMap(({ name, example }): [string, string][] => {
      if (Array.isArray(example)) return example.map((value) => [name, String(value)])
      if (typeof example !== 'object' || example === null) return [[name, String(example)]]
      return Object.entries(example).map(([key, value]) => [`${name}[${key}]`, String(value)])
    })
  return new URLSearchParams(pairs).toString()
}

/** Every schema of an operation that has an example beside it. */
export function shownIn({ requestBody, responses }: Operation): readonly { readonly schema: JsonObject; readonly example: unknown }[] {
  const contents = [requestBody?.content, ...Object.values(responses).map((answer) => answer['content'] as Contents | undefined)]
  return contents.flatMap((content) => Object.values(content ?? {})).filter((one) => 'example' in one)
}

/** A content map, as OpenAPI has it below bodies and answers. */
export type Contents = Readonly<Record<string, { readonly schema: JsonObject; readonly example: unknown }>>
