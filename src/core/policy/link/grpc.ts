import { healthService } from '../../health.ts'
import type { GrpcMatch } from '../../model/route.ts'
import type { HttpBinding, Rpc } from '../../model/rpc.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import { bindingProblem, type DescriptorBook, healthSet, rpcsOf } from '../../protobuf.ts'
import { type ClusterDocument, descriptorsIn } from '../document/clusters.ts'
import type { BindingDocument, RouteDocument } from '../document/routes.ts'
import type { Descriptors } from './descriptors.ts'
import { type Entry, isSaid, type Linking, refuse, suggestion } from './linking.ts'
import { shapeOf } from './takes.ts'

export interface LinkedGrpc {
  readonly match: GrpcMatch
  /** Templates of HTTP rules that cannot work. */
  readonly left: readonly string[]
}

/** Finds the RPCs of a grpc route in the descriptors of its clusters. Undefined when they cannot be known. */
export function linkGrpc(
  linking: Linking,
  entry: Entry<RouteDocument>,
  clusters: readonly Entry<ClusterDocument>[],
  descriptors: Descriptors,
): LinkedGrpc | undefined {
  const service = entry.value?.match?.grpc
  const path = service === undefined ? undefined : setOf(linking, entry, service, clusters)
  const pinned = path === undefined ? undefined : descriptors(path)
  // Descriptors that cannot be read are reported where the cluster names them.
  if (service === undefined || path === undefined || pinned === undefined || 'problem' in pinned) return undefined
  const found = rpcsOf(pinned.book, service)
  if (found === undefined) {
    const services = pinned.book.services
    const hint = suggestion(linking, service, new Set(services)) ?? `${path} has ${services.length === 0 ? 'no service' : services.join(', ')}.`
    refuse(linking, entry, ['match', 'grpc'], { code: 'service_unknown', message: `"${service}" is not a service in ${path}.`, hint })
    return undefined
  }
  const replaced = new Set((entry.value?.bindings ?? []).map(({ rpc }) => `${service}/${rpc}`))
  for (const { rpc, place, type, message } of found.problems) {
    if (replaced.has(rpc)) continue
    refuse(linking, entry, ['match', 'grpc'], {
      code: 'http_rule',
      message: `${place}: ${rpc} (message ${type}): ${sentence(message)}`,
      hint: 'Correct the google.api.http option in the .proto file, or write bindings for this RPC.',
    })
  }
  const left = found.problems.flatMap(({ template }) => (template === undefined ? [] : [template]))
  return { match: { service, rpcs: withBindings(linking, entry, pinned.book, service, found.rpcs), descriptors: path }, left }
}

/** What the gateway answers itself it knows by itself; anything else that it should answer is reported where the route is linked. */
function setOf(linking: Linking, entry: Entry<RouteDocument>, service: string, clusters: readonly Entry<ClusterDocument>[]): string | undefined {
  if (entry.value?.answer === undefined) return descriptorsOf(linking, entry, clusters)
  return service === healthService ? healthSet : undefined
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

/** The one set that all clusters of the split name. */
function descriptorsOf(linking: Linking, entry: Entry<RouteDocument>, clusters: readonly Entry<ClusterDocument>[]): string | undefined {
  const fileOf = ({ value }: Entry<ClusterDocument>) => descriptorsIn(value?.descriptors)?.file
  const silent = clusters.find((cluster) => fileOf(cluster) === undefined)
  if (silent !== undefined) {
    if (!isSaid(silent, ['descriptors']) && silent.value?.protocol === 'grpc')
      refuse(linking, entry, ['match', 'grpc'], {
        code: 'descriptors_missing',
        message: `The cluster "${silent.name}" names no descriptors, so the service is not known.`,
        hint: `Add descriptors: to clusters.${silent.name}.`,
      })
    return undefined
  }
  const paths = Array.from(new Set(clusters.map(fileOf)))
  if (paths.length > 1)
    refuse(linking, entry, ['to'], {
      code: 'descriptors_differ',
      message: `The clusters of this split name different descriptors: ${paths.join(', ')}.`,
      hint: 'Give all of them the same set.',
      which: 'key',
    })
  return paths[0]
}

/** Bindings of the route stand in place of the annotations of the RPCs they name; the automatic one stays. */
function withBindings(linking: Linking, entry: Entry<RouteDocument>, book: DescriptorBook, service: string, rpcs: readonly Rpc[]): readonly Rpc[] {
  const own = new Map<string, HttpBinding[]>()
  const taken = shapesOf(rpcs, new Set((entry.value?.bindings ?? []).map(({ rpc }) => rpc)))
  for (const [i, binding] of (entry.value?.bindings ?? []).entries()) {
    if (!rpcs.some((rpc) => rpc.method === binding.rpc)) {
      const names = new Set(rpcs.map((rpc) => rpc.method))
      refuse(linking, entry, ['bindings', i, 'rpc'], {
        code: 'rpc_unknown',
        message: `"${binding.rpc}" is not an RPC of ${service}.`,
        hint: suggestion(linking, binding.rpc, names) ?? `It has ${Array.from(names).join(', ')}.`,
      })
      continue
    }
    const list = own.get(binding.rpc) ?? []
    own.set(binding.rpc, list)
    const linked = bindingOf(binding)
    const problem = bindingProblem(book, service, binding.rpc, linked)
    if (problem !== undefined)
      refuse(linking, entry, ['bindings', i], {
        code: 'http_rule',
        message: `The rule cannot work: ${problem.place}: ${problem.rpc} (message ${problem.type}): ${sentence(problem.message)}`,
        hint: 'Variables and bodies are fields of the request message, responseBody of the answer.',
      })
    else checkTaken(linking, entry, i, { rpc: `${service}/${binding.rpc}`, binding: linked }, taken)
    list.push(linked)
  }
  return rpcs.map((rpc) => {
    const bindings = own.get(rpc.method)
    return bindings === undefined
      ? rpc
      : { ...rpc, bindings: [...bindings, ...rpc.bindings.filter(({ method, template }) => method === 'POST' && template === rpc.path)] }
  })
}

/** Who takes which requests by rules that stay: those of RPCs without bindings of the route, and automatic paths. */
function shapesOf(rpcs: readonly Rpc[], replaced: ReadonlySet<string>): Map<string, string> {
  return new Map(
    rpcs.flatMap((rpc) =>
      rpc.bindings
        .filter(({ method, template }) => !replaced.has(rpc.method) || (method === 'POST' && template === rpc.path))
        .map((binding): [string, string] => [requestsOf(binding), `${rpc.service}/${rpc.method}`]),
    ),
  )
}

/** Of two rules that take the same requests one would never be asked. An RPC may say its own automatic path again. */
function checkTaken(linking: Linking, entry: Entry<RouteDocument>, at: number, { rpc, binding }: BoundRpc, taken: Map<string, string>): void {
  const requests = requestsOf(binding)
  const other = taken.get(requests)
  taken.set(requests, other ?? rpc)
  if (other === undefined || (other === rpc && binding.template === `/${rpc}`)) return
  refuse(linking, entry, ['bindings', at], {
    code: 'http_rule',
    message: `The rule cannot work: ${binding.method} ${binding.template}: ${other} and ${rpc} take the same requests (${requests}).`,
    hint: 'Give one of them another path or method.',
  })
}

interface BoundRpc {
  /** `package.Service/Method` */
  readonly rpc: string
  readonly binding: HttpBinding
}

/** Method and path with every variable as its pattern. */
function requestsOf({ method, template }: HttpBinding): string {
  const parsed = parseTemplate(template)
  return `${method} ${isTemplateError(parsed) ? template : shapeOf(parsed)}`
}

function bindingOf({ method, path, body, responseBody }: BindingDocument): HttpBinding {
  return { method, template: path, body: body ?? '', responseBody: responseBody ?? '' }
}
