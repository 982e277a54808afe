import type { PublishedApi } from '../../model/route.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, isSaid, type Linking, placeIn, refuse, suggestion } from './linking.ts'

/** What only a route that goes somewhere can use. */
const idle = ['to', 'timeout', 'retry', 'sticky', 'handOn', 'bodyLimit', 'translate', 'bindings']

/** Checks that a route either goes somewhere or publishes a document, and links the latter. */
export function linkPublished(linking: Linking, entry: Entry<RouteDocument>, value: Partial<RouteDocument>): PublishedApi | undefined {
  if (!isSaid(entry, ['openapi'])) {
    if (!isSaid(entry, ['to']))
      linking.report.error({ code: 'key_missing', at: entry.key, object: entry.id, message: '"to" is missing.', hint: 'Say where the route goes.' })
    return undefined
  }
  for (const key of idle) {
    if (isSaid(entry, [key]))
      refuse(linking, entry, [key], {
        code: 'no_effect',
        message: `"${key}" has no effect: the gateway answers this route itself.`,
        hint: 'Remove it.',
        which: 'key',
      })
  }
  if (value.match?.grpc !== undefined)
    refuse(linking, entry, ['match', 'grpc'], { code: 'match_shape', message: 'A document has a path.', hint: 'Write path: /openapi.json.', which: 'key' })
  for (const [i, method] of (value.match?.methods ?? []).entries()) {
    if (method !== 'GET' && method !== 'HEAD')
      refuse(linking, entry, ['match', 'methods', i], {
        code: 'no_effect',
        message: `A document is read, not asked for with ${method}.`,
        hint: 'Write methods: [GET].',
      })
  }
  const { openapi } = value
  if (openapi === undefined) return undefined
  const known = linking.names('routes')
  for (const [i, name] of openapi.routes.entries()) {
    // No refer(): a route that is broken, or in a file that is, is left out of the document and does not take it along.
    if (!known.has(name) && !linking.incomplete)
      linking.report.error({
        code: 'name_unknown',
        at: placeIn(entry, ['openapi', 'routes', i]),
        object: entry.id,
        message: `There is no route "${name}".`,
        hint: suggestion(linking, name, known) ?? `Routes are ${Array.from(known).slice(0, 12).join(', ')}.`,
      })
  }
  return { routes: openapi.routes, title: openapi.title, version: openapi.version }
}
