import { healthService } from '../../health.ts'
import type { PublishedApi } from '../../model/route.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, isSaid, isWhole, type Linking, placeIn, refuse, suggestion } from './linking.ts'

/** What only a route that goes somewhere can use. */
const idle = ['timeout', 'retry', 'hedge', 'sticky', 'handOn', 'bodyLimit', 'translate', 'upgrade', 'bindings']

/** Checks that a route goes somewhere or is answered by the gateway itself, in one way. */
export function checkDestination(linking: Linking, entry: Entry<RouteDocument>): void {
  const [first, second] = (['to', 'openapi', 'answer'] as const).filter((key) => isSaid(entry, [key]))
  if (first === undefined)
    linking.report.error({
      code: 'key_missing',
      at: entry.key,
      object: entry.id,
      message: '"to" is missing.',
      hint: 'Say where the route goes: a cluster, {cluster, subset}, or a list with weights.',
    })
  if (second !== undefined)
    refuse(linking, entry, [second], {
      code: 'answer_and_to',
      message: `"${second}" and "${first}" exclude each other.`,
      hint: 'Keep one of them.',
      which: 'key',
    })
}

/** Checks a route that the gateway answers with what it knows of its health. */
export function checkAnswer(linking: Linking, entry: Entry<RouteDocument>, value: Partial<RouteDocument>): void {
  if (value.answer === undefined) return
  if (value.match?.grpc !== undefined && value.match.grpc !== healthService)
    refuse(linking, entry, ['match', 'grpc'], {
      code: 'answer_service',
      message: `The gateway itself answers ${healthService}, not ${value.match.grpc}.`,
      hint: `Write grpc: ${healthService}, or to: and a cluster.`,
    })
  if (value.match !== undefined && value.match.grpc === undefined && isWhole(entry, 'match'))
    refuse(linking, entry, ['answer'], {
      code: 'answer_service',
      message: `"answer: health" is for a route that matches grpc: ${healthService}.`,
      hint: 'bindings on it give Check a path, such as GET /healthz.',
      which: 'key',
    })
  for (const key of ['retry', 'hedge', 'sticky'] as const) {
    if (isSaid(entry, [key]))
      refuse(linking, entry, [key], {
        code: 'no_effect',
        message: `"${key}" has no effect on what the gateway answers itself.`,
        hint: 'Remove it.',
        which: 'key',
      })
  }
}

/** Checks and links a route that publishes a document. */
export function linkPublished(linking: Linking, entry: Entry<RouteDocument>, value: Partial<RouteDocument>): PublishedApi | undefined {
  if (!isSaid(entry, ['openapi'])) return undefined
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
