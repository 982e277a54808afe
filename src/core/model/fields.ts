import type { Fields } from './wire.ts'

/** A mutable list of fields. Names are given lower-case (HTTP/2 spelling); `fromRaw` lower-cases what a listener hands over. */
export class FieldList implements Fields {
  readonly #flat: string[]

  constructor(pairs: Iterable<readonly [string, string]> = []) {
    this.#flat = []
    for (const [name, value] of pairs) this.#flat.push(name, value)
  }

  /** From alternating names and values as `node:http` keeps them. */
  static fromRaw(raw: readonly string[]): FieldList {
    const list = new FieldList()
    for (let i = 0; i + 1 < raw.length; i += 2) list.append((raw[i] as string).toLowerCase(), raw[i + 1] as string)
    return list
  }

  get(name: string): string | undefined {
    const flat = this.#flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1]
    return undefined
  }

  all(name: string): readonly string[] {
    const values: string[] = []
    const flat = this.#flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) values.push(flat[i + 1] as string)
    return values
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  entries(): readonly (readonly [string, string])[] {
    const pairs: (readonly [string, string])[] = []
    this.each((name, value) => pairs.push([name, value]))
    return pairs
  }

  each(visit: (name: string, value: string) => void): void {
    const flat = this.#flat
    for (let i = 0; i < flat.length; i += 2) visit(flat[i] as string, flat[i + 1] as string)
  }

  /** Adds a field after those there are. */
  append(name: string, value: string): this {
    this.#flat.push(name, value)
    return this
  }

  /** Puts one field in place of all of that name. */
  set(name: string, value: string): this {
    return this.remove(name).append(name, value)
  }

  remove(name: string): this {
    const flat = this.#flat
    let kept = 0
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === name) continue
      flat[kept++] = flat[i] as string
      flat[kept++] = flat[i + 1] as string
    }
    flat.length = kept
    return this
  }

  /** A copy without the fields that `drop` names. */
  without(drop: (name: string) => boolean): FieldList {
    const kept = new FieldList()
    this.each((name, value) => {
      if (!drop(name)) kept.append(name, value)
    })
    return kept
  }
}

/** No fields at all. */
export const noFields: Fields = Object.freeze(new FieldList())
