import { Fault } from '../../model/fault.ts'
import type { Template, Variable } from '../../model/template.ts'
import type { Params } from '../../model/template-match.ts'

/**
 * The variables of the matched template, each decoded once (google.api.http, "Path template syntax"): one segment
 * fully, several segments all but `%2F`. `segments` are those of the canonical path, without the verb.
 * @throws Fault `request_invalid` for escapes that are not UTF-8.
 */
export function readParams(template: Template, segments: readonly string[]): Params {
  const params: Record<string, string> = Object.create(null)
  for (const variable of template.variables) params[variable.name] = readVariable(variable, segments)
  return params
}

function readVariable({ name, from, to, multi }: Variable, segments: readonly string[]): string {
  const raw = multi ? segments.slice(from, to < 0 ? segments.length : to).join('/') : (segments[from] as string) // the template matched
  if (!raw.includes('%')) return raw
  try {
    return multi ? raw.split('%2F').map(decodeURIComponent).join('%2F') : decodeURIComponent(raw)
  } catch (cause) {
    throw new Fault('request_invalid', `path variable ${name} is not UTF-8`, { cause })
  }
}
