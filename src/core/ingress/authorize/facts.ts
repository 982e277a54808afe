import type { ExpressionInput } from '../../expression.ts'
import type { Identified, Matched } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import { segmentsOfPath } from '../../model/template-match.ts'

/** A request whose rules are asked for; before `identify` it has no principal. */
export type Asked = Matched & Partial<Pick<Identified, 'principal'>>

/** What the rules of one request are held against. What costs something is made when the first rule asks for it. */
export class Facts {
  readonly x: Asked
  /** The verified subject; undefined for an anonymous request, and before anybody was identified. */
  readonly subject: Subject | undefined
  /** Wall time, milliseconds: the same for every rule of the request. */
  readonly now: number
  /** The same with this alone, and with each of the other subjects that were proved: several credentials make several. */
  readonly views: readonly Facts[]
  #segments: readonly string[] | undefined
  #input: ExpressionInput | undefined

  constructor(x: Asked, now: number, subject: Subject | undefined = x.principal?.kind === 'subject' ? x.principal : undefined) {
    this.x = x
    this.subject = subject
    this.now = now
    this.views = subject?.also === undefined ? [this] : [this, ...subject.also.map((one) => new Facts(x, now, one))]
  }

  /** Segments of the canonical path. */
  get segments(): readonly string[] {
    return (this.#segments ??= segmentsOfPath(this.x.request.target.path))
  }

  get expression(): ExpressionInput {
    return (this.#input ??= new Input(this))
  }
}

const noClaims: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null))

/** What a `when:` asks for, each made at the first asking. */
class Input implements ExpressionInput {
  readonly #facts: Facts
  #request: ExpressionInput['request'] | undefined

  constructor(facts: Facts) {
    this.#facts = facts
  }

  get request(): ExpressionInput['request'] {
    return (this.#request ??= new RequestInput(this.#facts.x))
  }

  get claims(): ExpressionInput['claims'] {
    return this.#facts.subject?.claims ?? noClaims
  }

  get principal(): ExpressionInput['principal'] {
    const { subject } = this.#facts
    return {
      kind: subject === undefined ? 'anonymous' : 'subject',
      issuer: subject?.issuer ?? '',
      subject: subject?.subject ?? '',
      clientId: subject?.clientId ?? '',
      scopes: subject === undefined ? [] : [...subject.scopes],
    }
  }

  get client(): ExpressionInput['client'] {
    const { address, network } = this.#facts.x.client
    return { address, network }
  }

  get now(): number {
    return Math.floor(this.#facts.now / 1000)
  }
}

/** Headers and query are made for the expressions that read them; an object with getters of its own would cost as much for all. */
class RequestInput {
  readonly #x: Asked
  readonly method: string
  readonly path: string
  readonly host: string
  readonly params: Readonly<Record<string, string>>

  constructor(x: Asked) {
    this.#x = x
    this.method = x.request.method
    this.path = x.request.target.path
    this.host = x.request.host
    this.params = x.params
  }

  get rpc(): string {
    return this.#x.rpc === undefined ? '' : this.#x.rpc.rpc.path.slice(1)
  }

  get headers(): Readonly<Record<string, string>> {
    return single(this.#x.request.headers.entries())
  }

  get query(): Readonly<Record<string, string>> {
    return single(queryPairs(this.#x.request.target.query))
  }
}

// The expression engine takes what calls itself a plain object, and reads the members of its schema alone.
Object.defineProperty(RequestInput.prototype, 'constructor', { value: Object })

/**
 * Names to their one value. A repeated name is an error when it is read: whichever value a rule picked, the upstream could pick
 * another.
 */
function single(pairs: Iterable<readonly [name: string, value: string]>): Readonly<Record<string, string>> {
  const values: Record<string, string> = Object.create(null)
  const seen = new Set<string>()
  for (const [name, value] of pairs) {
    if (seen.has(name)) Object.defineProperty(values, name, { enumerable: true, configurable: true, get: () => throwRepeated(name) })
    else values[name] = value
    seen.add(name)
  }
  return values
}

function throwRepeated(name: string): never {
  throw new Error(`"${name}" is given more than once`)
}

/** The values of one query parameter, decoded as forms are (WHATWG URL section 5.1). */
export function queryValues(query: string, name: string): readonly string[] {
  return queryPairs(query).flatMap(([key, value]) => (key === name ? [value] : []))
}

function queryPairs(query: string): (readonly [name: string, value: string])[] {
  return query === '' ? [] : [...new URLSearchParams(query)]
}
