import type { Route, RouteLimit } from '../../model/route.ts'
import { didYouMean } from '../../suggest.ts'
import type { LimitDocument } from '../document/limits.ts'
import type { RouteDocument } from '../document/routes.ts'
import type { Path } from '../read/node.ts'
import { heldBy } from './limits.ts'
import { type Entry, type Linking, refer, refuse } from './linking.ts'
import { checkResponse } from './response-cost.ts'

/** Links the limits that a route names, with what a request costs there. */
export function linkRouteLimits(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  around: ReadonlyMap<string, Entry<LimitDocument>>,
  match: Route['match'] | undefined,
): Route['limits'] {
  const seen = new Set<string>()
  return (value.limits ?? []).map((said, i) => {
    const [name, path] = typeof said === 'string' ? [said, ['limits', i]] : [said.name, ['limits', i, 'name']]
    refer(linking, entry, path, 'limits', name)
    if (seen.has(name))
      refuse(linking, entry, path, {
        code: 'limit_repeated',
        message: `The limit "${name}" is named twice.`,
        hint: 'Name it once; write { name, cost } to count more.',
      })
    seen.add(name)
    if (typeof said === 'string') {
      checkCost(linking, entry, path, 1, around.get(name))
      return { name, cost: 1 }
    }
    const { cost, methods, rpcs, response } = said
    checkCost(linking, entry, ['limits', i, 'cost'], cost, around.get(name))
    for (const [method, other] of Object.entries(methods ?? {})) checkCost(linking, entry, ['limits', i, 'methods', method], other, around.get(name))
    for (const [rpc, other] of Object.entries(rpcs ?? {})) checkCost(linking, entry, ['limits', i, 'rpcs', rpc], other, around.get(name))
    if (match !== undefined) checkCosted(linking, entry, ['limits', i], said, match)
    checkResponse(linking, entry, ['limits', i, 'response'], said, around.get(name))
    return { ...useOf(name, cost, methods, rpcs), ...(response === undefined ? {} : { response }) }
  })
}

function useOf(name: string, cost: number, methods: RouteLimit['methods'] | undefined, rpcs: RouteLimit['rpcs'] | undefined): RouteLimit {
  return { name, cost, ...(methods === undefined ? {} : { methods }), ...(rpcs === undefined ? {} : { rpcs }) }
}

/** A cost of what the route never takes would be believed. */
function checkCosted(
  linking: Linking,
  entry: Entry<RouteDocument>,
  path: Path,
  { methods = {}, rpcs = {} }: { readonly methods?: object | undefined; readonly rpcs?: object | undefined },
  match: Route['match'],
): void {
  for (const method of Object.keys(methods)) {
    if (match.methods.length === 0 || match.methods.includes(method) || (method === 'HEAD' && match.methods.includes('GET'))) continue
    const message = `The route never takes ${method}.`
    refuse(linking, entry, [...path, 'methods', method], { code: 'cost_no_effect', message, hint: `It takes ${match.methods.join(', ')}.`, which: 'key' })
  }
  const known = match.grpc?.rpcs.map((rpc) => rpc.method) ?? []
  // Of a service that could not be read nobody knows the RPCs, and it is reported itself.
  if (match.grpc !== undefined && known.length === 0) return
  for (const rpc of Object.keys(rpcs)) {
    if (known.includes(rpc)) continue
    const message = match.grpc === undefined ? 'A route without grpc has no RPCs.' : `${match.grpc.service} has no RPC ${rpc} that the route takes.`
    refuse(linking, entry, [...path, 'rpcs', rpc], { code: 'cost_no_effect', message, hint: didYouMean(rpc, known), which: 'key' })
  }
}

function checkCost(linking: Linking, entry: Entry<RouteDocument>, path: Path, cost: number, limit: Entry<LimitDocument> | undefined): void {
  const quota = limit?.value === undefined ? undefined : heldBy(limit.value)
  // What only counts refuses nobody; a limit that holds nothing is reported where it stands.
  if (limit === undefined || quota === undefined || quota === 0 || limit.value?.mode === 'audit' || cost <= quota) return
  refuse(linking, entry, path, {
    code: 'cost_too_large',
    message: `A request costs ${cost}, and the limit "${limit.name}" never holds more than ${quota}: none could ever pass.`,
    hint: `Write a cost of at most ${quota}, or a larger limit.`,
  })
}
