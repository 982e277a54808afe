import type { Placed } from '../../model/exchange.ts'
import type { Params } from '../../model/template-match.ts'
import type { Fillings } from './fill.ts'

const bodyLimit = 1 << 20

/** The request's JSON body, read at most once and only when somebody asks; undefined when there is none or it is not JSON. */
export function lazyBody(x: Placed): () => Promise<unknown> {
  let read: Promise<unknown> | undefined
  return () => {
    read ??= readJson(x)
    return read
  }
}

async function readJson(x: Placed): Promise<unknown> {
  const bytes = await x.request.body?.bytes(bodyLimit)
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** The member at a dotted path: own members and list positions only. */
export function memberAt(body: unknown, path: string): unknown {
  let here = body
  for (const step of path.split('.')) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    if (Array.isArray(here) && step === 'length') return undefined
    here = (here as Readonly<Record<string, unknown>>)[step] // an own member, of a type nobody knows
  }
  return here
}

/** What the placeholders of an answer stand for in this request. */
export function fillingsOf(x: Placed, params: Params, body: unknown): Fillings {
  const query = new URLSearchParams(x.request.target.query)
  return {
    path: (name) => params[name],
    query: (name) => query.get(name) ?? undefined,
    header: (name) => x.request.headers.get(name.toLowerCase()),
    body: (path) => memberAt(body, path),
  }
}
