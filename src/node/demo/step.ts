import { request } from 'undici'

/** One request of the demo, as `curl` would send it. */
export interface DemoRequest {
  readonly method?: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

/** One thing the demo shows: a sentence, a command to copy, its real answer, and what must be true of it. */
export interface Step {
  readonly title: string
  /** What to type. */
  readonly command: string
  /** Carries it out; the lines are what a reader sees. */
  run(): Promise<Shown>
}

export interface Shown {
  readonly lines: readonly string[]
  /** What differs from what must be; empty when all is well. */
  readonly problems: readonly string[]
}

export interface Expectation {
  readonly status: number
  /** Members of the JSON answer, by dotted path. */
  readonly json?: Readonly<Record<string, unknown>>
  /** Headers that must be there; a value must be equal, `*` is any. */
  readonly headers?: Readonly<Record<string, string>>
  /** Headers to show beside those expected. */
  readonly show?: readonly string[]
}

/** A step that is one request. */
export function requestStep(title: string, asked: DemoRequest, expected: Expectation): Step {
  return {
    title,
    command: curlOf(asked),
    run: async () => {
      const answer = await send(asked)
      const names = [...Object.keys(expected.headers ?? {}), ...(expected.show ?? [])]
      const fields = names.filter((name) => answer.headers[name] !== undefined).map((name) => `${name}: ${answer.headers[name]}`)
      return {
        lines: [`${answer.status}`, ...fields, ...answer.text.trimEnd().split('\n')].filter((line) => line !== ''),
        problems: differences(answer, expected),
      }
    },
  }
}

/** Sends it and reads the whole answer, within ten seconds. */
export async function send(asked: DemoRequest): Promise<Answer> {
  const body = asked.json === undefined ? null : JSON.stringify(asked.json)
  const headers = { ...(body === null ? {} : { 'content-type': 'application/json' }), ...asked.headers }
  const method = asked.method ?? (body === null ? 'GET' : 'POST')
  const answer = await request(asked.url, { method: method as 'GET', headers, body, headersTimeout: 10_000, bodyTimeout: 10_000 })
  const text = await answer.body.text()
  const fields = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)]))
  return { status: answer.statusCode, headers: fields, text, json: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What of `expected` is not so in `answer`. */
export function differences(answer: Answer, expected: Expectation): readonly string[] {
  const problems: string[] = []
  if (answer.status !== expected.status) problems.push(`status ${answer.status} instead of ${expected.status}`)
  for (const [path, value] of Object.entries(expected.json ?? {})) {
    const found = path.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], answer.json)
    if (found !== value) problems.push(`${path} is ${JSON.stringify(found)} instead of ${JSON.stringify(value)}`)
  }
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const found = answer.headers[name]
    if (found === undefined || (value !== '*' && found !== value))
      problems.push(`header ${name} is ${found ?? 'absent'} instead of ${value === '*' ? 'present' : value}`)
  }
  return problems
}

/** The same request as a command line. A bearer token is written as `$NAME`. */
function curlOf(asked: DemoRequest): string {
  const parts = ['curl -si']
  const method = asked.method ?? 'GET'
  if (asked.method !== undefined && !(asked.json !== undefined && method === 'POST')) parts.push(`-X ${method}`)
  for (const [name, value] of Object.entries(asked.headers ?? {})) parts.push(`-H ${quote(`${name}: ${shellToken(value)}`)}`)
  if (asked.json !== undefined) parts.push(`--json '${JSON.stringify(asked.json)}'`)
  parts.push(`'${asked.url}'`)
  return parts.join(' ')
}

const names = new Map<string, string>()

/** Remembers that `token` is shown to the reader as `$name`. */
export function nameToken(token: string, name: string): string {
  names.set(token, name)
  return token
}

function shellToken(value: string): string {
  for (const [token, name] of names) if (value.includes(token)) return value.replace(token, `$${name}`)
  return value
}

function quote(text: string): string {
  return text.includes('$') ? `"${text}"` : `'${text}'`
}
