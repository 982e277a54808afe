import type { GrpcMatch } from '../../model/route.ts'
import type { HttpBinding } from '../../model/rpc.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import { type BoundParts, type DescriptorBook, demandsOf, resolvePath } from '../../protobuf.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, type Linking, warn } from './linking.ts'

/** Warns of HTTP rules that every request is refused at: their message requires a field (proto2, LEGACY_REQUIRED) that neither path, query nor body can say. */
export function warnImpossible(linking: Linking, entry: Entry<RouteDocument>, match: GrpcMatch | undefined, book: DescriptorBook | undefined): void {
  if (match === undefined || book === undefined) return
  const own = entry.value?.bindings ?? []
  for (const rpc of match.rpcs) {
    const input = book.registry.getMessage(rpc.input)
    if (input === undefined) continue
    for (const binding of rpc.bindings) {
      const [first] = demandsOf(partsOf(input, binding, entry.value?.translate?.queryMaps === true)).unsayable
      if (first === undefined) continue
      const at = own.findIndex(({ rpc: name, method, path }) => name === rpc.method && method === binding.method && path === binding.template)
      const field = first.path.map(({ name }) => name).join('.')
      warn(linking, entry, at < 0 ? ['match', 'grpc'] : ['bindings', at], {
        code: 'rule_impossible',
        message: `${binding.method} ${binding.template} of ${rpc.service}/${rpc.method}: no request succeeds, "${field}" of ${rpc.input} is required and cannot be given: ${first.why}.`,
        hint:
          binding.body === '*'
            ? 'Only a message that does not require itself can be sent.'
            : 'Take the whole message as body ("*"), or the message that holds the field.',
      })
    }
  }
}

function partsOf(input: BoundParts['input'], { template, body }: HttpBinding, maps: boolean): BoundParts {
  const parsed = parseTemplate(template)
  const names = isTemplateError(parsed) ? [] : parsed.variables.map(({ name }) => name)
  const variables = names.flatMap((name) => {
    const path = resolvePath(input, name, false)
    return 'problem' in path ? [] : [path]
  })
  return { input, variables, body: body === '*' ? '*' : input.fields.find(({ name }) => name === body), maps }
}
