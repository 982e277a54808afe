import { statedCosts } from '../../model/cost.ts'
import type { LimitDocument } from '../document/limits.ts'
import type { RouteDocument } from '../document/routes.ts'
import type { Path } from '../read/node.ts'
import { type Entry, type Linking, refuse } from './linking.ts'

type CostsDocument = Exclude<RouteDocument['limits'][number], string>

/** What an upstream says of costs, where nothing could come of it. */
export function checkResponse(linking: Linking, entry: Entry<RouteDocument>, path: Path, said: CostsDocument, limit: Entry<LimitDocument> | undefined): void {
  const { cost, methods = {}, rpcs = {}, response } = said
  if (response === undefined) return
  const least = Math.min(...statedCosts({ cost, methods, rpcs }))
  if (response.most <= least) {
    const message = `A request costs ${least} at least, and nothing is given back: an answer could never be charged.`
    refuse(linking, entry, [...path, 'most'], { code: 'cost_no_effect', message, hint: `Write more than ${least}, or remove response.` })
  }
  if (limit?.value?.counts === 'failures') {
    const message = `The limit "${limit.name}" counts failures, and those are known by their status alone.`
    refuse(linking, entry, path, { code: 'cost_no_effect', message, hint: 'Remove response.', which: 'key' })
  }
  if (limit?.value?.concurrent !== undefined) {
    const message = `The limit "${limit.name}" is of requests at a time: when the answer is there, nothing more can be held.`
    refuse(linking, entry, path, { code: 'cost_no_effect', message, hint: 'Remove response.', which: 'key' })
  }
}
