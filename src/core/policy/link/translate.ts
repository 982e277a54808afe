import { answerHeaderProblem, isListed, metadataProblem } from '../../model/metadata-names.ts'
import type { GrpcMatch } from '../../model/route.ts'
import type { Rpc } from '../../model/rpc.ts'
import type { TranslateOptions } from '../../model/translate-options.ts'
import { type DescriptorBook, etagField } from '../../protobuf.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, isSaid, type Linking, refuse, warn } from './linking.ts'

/** Where the format says nothing, and a broken route. */
export const plainTranslation: TranslateOptions = {
  unknownQuery: 'reject',
  emitDefaults: false,
  enumsAsInts: false,
  protoNames: false,
  ignoreUnknownFields: false,
}

/** Checks what `translate` of a grpc route says about headers, and warns of options that nothing of the service can follow. */
export function checkTranslate(linking: Linking, entry: Entry<RouteDocument>, match: GrpcMatch | undefined, book: DescriptorBook | undefined): void {
  const { translate } = entry.value ?? {}
  if (translate === undefined || match === undefined) return
  checkNames(linking, entry, 'requestHeaders', translate.requestHeaders, metadataProblem)
  checkNames(linking, entry, 'responseHeaders', translate.responseHeaders, answerHeaderProblem)
  if (translate.statusFrom?.startsWith('grpc-') === true)
    refuseName(linking, entry, ['translate', 'statusFrom'], translate.statusFrom, 'gRPC keeps such names for itself')
  if (translate.statusFrom !== undefined && isListed(translate.responseHeaders, translate.statusFrom))
    refuseName(linking, entry, ['translate', 'statusFrom'], translate.statusFrom, 'it would be a header of the answer too; take it out of responseHeaders')
  if (match.rpcs.length === 0 || book === undefined) return
  const idle: readonly (readonly [key: keyof TranslateOptions, isIdle: boolean, why: string])[] = [
    ['head', translate.head === 'fromGet' && !hasGet(match.rpcs), 'no RPC of the service has a GET binding'],
    [
      'emptyAnswer',
      translate.emptyAnswer === 204 && !match.rpcs.some((rpc) => answersEmpty(rpc, book)),
      'no RPC of the service answers with google.protobuf.Empty',
    ],
    ['etag', translate.etag !== false && !match.rpcs.some((rpc) => hasEtag(rpc, book)), 'no message of the service has a string field etag'],
    ['queryMaps', translate.queryMaps && !match.rpcs.some((rpc) => hasMap(rpc, book)), 'no request of the service has a map'],
  ]
  for (const [key, isIdle, why] of idle) {
    if (!isIdle || !isSaid(entry, ['translate', key])) continue
    warn(linking, entry, ['translate', key], { code: 'no_effect', message: `"${key}" has no effect: ${why}.`, hint: 'Remove it.', which: 'key' })
  }
}

function checkNames(
  linking: Linking,
  entry: Entry<RouteDocument>,
  key: 'requestHeaders' | 'responseHeaders',
  names: readonly string[],
  problemOf: (name: string) => string | undefined,
): void {
  for (const [i, name] of names.entries()) {
    // Of the beginning of names, one that would be among them tells.
    const problem = problemOf(name.endsWith('*') ? `${name.slice(0, -1)}x` : name)
    if (problem !== undefined) refuseName(linking, entry, ['translate', key, i], name, problem)
  }
}

function refuseName(linking: Linking, entry: Entry<RouteDocument>, path: readonly (string | number)[], name: string, problem: string): void {
  refuse(linking, entry, path, {
    code: 'header_refused',
    message: `"${name}" cannot stand here: ${problem}.`,
    hint: 'Remove it, or use a name of your own, such as x-shop-total.',
  })
}

function hasGet(rpcs: readonly Rpc[]): boolean {
  return rpcs.some(({ bindings }) => bindings.some(({ method }) => method === 'GET'))
}

function answersEmpty({ output, bindings }: Rpc, book: DescriptorBook): boolean {
  const isEmpty = (type: string | undefined) => type === 'google.protobuf.Empty'
  const fields = book.registry.getMessage(output)?.fields ?? []
  return isEmpty(output) || bindings.some(({ responseBody }) => isEmpty(fields.find(({ name }) => name === responseBody)?.message?.typeName))
}

function hasEtag({ input, output }: Rpc, book: DescriptorBook): boolean {
  return [input, output].some((name) => {
    const desc = book.registry.getMessage(name)
    return desc !== undefined && [desc, ...desc.fields.flatMap(({ message }) => message ?? [])].some((each) => etagField(each) !== undefined)
  })
}

/** Anywhere in it: a parameter may name fields of fields. */
function hasMap({ input }: Rpc, book: DescriptorBook): boolean {
  const root = book.registry.getMessage(input)
  const reached = new Set(root === undefined ? [] : [root])
  // A set is iterated over what is added meanwhile, too.
  for (const desc of reached)
    for (const { message } of desc.fields) if (message !== undefined && !message.typeName.startsWith('google.protobuf.')) reached.add(message)
  return [...reached].some(({ fields }) => fields.some(({ fieldKind }) => fieldKind === 'map'))
}
