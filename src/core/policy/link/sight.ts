import { isTemplateError, parseTemplate, readableTemplate } from '../../model/template.ts'
import { suggest } from '../../suggest.ts'
import { grpcService, host, method } from '../document/fields.ts'
import { memberOf, type Node } from '../read/node.ts'

/*
 * A route whose match cannot be read must not leave its requests to a wider route: what it was meant to take is looked for in
 * whatever stands there, misspelled keys included. Seeing too much refuses too much, which is the safe side.
 */

/** What a route can be seen to take. */
export interface Sight {
  readonly hosts: readonly string[]
  readonly methods: readonly string[]
  /** Templates, whole or broken, of which at least the first segment can be read. */
  readonly paths: readonly string[]
  /** gRPC services. */
  readonly services: readonly string[]
  /** The hosts are all there are, and every template is whole. */
  readonly sure: boolean
  /** Something there can be no template of, or nothing shows at all: it might take anything. */
  readonly blind: boolean
}

/** Keys of a route's match. */
export const matchKeys: readonly string[] = ['host', 'hosts', 'path', 'grpc', 'methods', 'headers', 'query']
const routeKeys = [
  'match',
  'access',
  'limits',
  'timeout',
  'retry',
  'hedge',
  'sticky',
  'to',
  'openapi',
  'answer',
  'handOn',
  'allow',
  'bodyLimit',
  'translate',
  'cors',
  'upgrade',
  'bindings',
]

/** One thing under a match: what its key was meant to be, and every text in it. */
interface Said {
  readonly meant: string | undefined
  readonly node: Node
  readonly texts: readonly string[]
}

/** Looks at a route as it stands in the file; `dropped` when parts of its match are not even there. */
export function lookAtRoute(route: Node | undefined, dropped: boolean): Sight {
  const around = membersOf(route, routeKeys)
  const matches = around.filter(({ meant }) => meant === 'match')
  // What no route has at this level may be a match without its key.
  const strays = around.filter(({ meant }) => meant === undefined)
  const said: readonly Said[] = [
    ...matches.flatMap(({ node }): readonly Said[] => (node.kind === 'map' ? membersOf(node, matchKeys) : [asSaid(undefined, node)])),
    ...strays.map(({ key, node }) => asSaid(meantBy(key, matchKeys), node)),
  ]
  return look(said, dropped)
}

/** Looks at bare texts that may be paths and services. */
export function lookAtTexts(paths: readonly string[], services: readonly string[]): Sight {
  return sightOf({ paths, services, hosts: undefined, methods: [] })
}

/** Every text under a node that begins like a path. */
export function pathsIn(node: Node | undefined): readonly string[] {
  return node === undefined ? [] : textsOf(node).filter((text) => text.startsWith('/'))
}

function look(said: readonly Said[], dropped: boolean): Sight {
  const asPath = said.filter(({ meant }) => meant === 'path').flatMap(({ texts }) => texts.map((text) => (text.startsWith('/') ? text : `/${text}`)))
  const unknown = said.filter(({ meant }) => meant === undefined)
  const known = [...asPath, ...unknown.flatMap(({ texts }) => texts.filter((text) => text.startsWith('/')))]
  const paths = known.length > 0 ? known : said.flatMap(({ texts }) => texts.filter((text) => text.startsWith('/')))
  const services = [
    ...said.filter(({ meant }) => meant === 'grpc').flatMap(({ texts }) => texts.map(serviceOf)),
    ...unknown.flatMap(({ texts }) => texts.filter((text) => /^(?:\w+\.)+[A-Z]\w*(?:\/.*)?$/.test(text)).map(serviceOf)),
  ]
  // A key that means nothing here may have named hosts, unless it named a path or a service.
  const explained = unknown.every(({ texts }) => texts.length > 0 && texts.every((text) => text.startsWith('/') || services.includes(serviceOf(text))))
  const methods = said.filter(({ meant }) => meant === 'methods').map(({ node }) => listOf(node, (text) => text.toUpperCase(), method))
  return sightOf({ paths, services, hosts: dropped || !explained ? undefined : hostsOf(said), methods: methods.length === 1 ? (methods[0] ?? []) : [] })
}

interface Found extends Pick<Sight, 'paths' | 'services' | 'methods'> {
  readonly hosts: readonly string[] | undefined
}

function sightOf({ paths, services, hosts, methods }: Found): Sight {
  const readable = paths.filter((path) => readableTemplate(path) !== undefined)
  const named = services.filter((service) => grpcService.safeParse(service).success)
  return {
    hosts: hosts ?? [],
    methods,
    paths: distinct(readable),
    services: distinct(named),
    sure: hosts !== undefined && readable.every((path) => !isTemplateError(parseTemplate(path))),
    blind: readable.length < paths.length || named.length < services.length || readable.length + named.length === 0,
  }
}

/** Undefined when some host cannot be read. */
function hostsOf(said: readonly Said[]): readonly string[] | undefined {
  const lists = said.filter(({ meant }) => meant === 'host' || meant === 'hosts').map(({ node }) => listOf(node, (text) => text.toLowerCase(), host))
  const hosts = lists.flatMap((list) => list ?? [])
  return lists.includes(undefined) ? undefined : distinct(hosts)
}

/** A text or a list of texts, each as it should be written; undefined when one is something else. */
function listOf(node: Node, corrected: (text: string) => string, schema: { safeParse(text: string): { readonly success: boolean } }) {
  const items = node.kind === 'list' ? node.items : [node]
  const texts = items.flatMap((item) => (item.kind === 'scalar' && typeof item.value === 'string' ? [corrected(item.value)] : []))
  return texts.length === items.length && items.length > 0 && texts.every((text) => schema.safeParse(text).success) ? texts : undefined
}

function membersOf(node: Node | undefined, keys: readonly string[]): readonly (Said & { readonly key: string })[] {
  if (node?.kind !== 'map') return node === undefined ? [] : [{ key: '', ...asSaid(undefined, node) }]
  return Array.from(node.members, ([key, { value }]) => {
    const meant = meantBy(key, keys)
    // A misspelled key beside the right one is something else.
    return { key, ...asSaid(meant === key || memberOf(node, meant ?? '') === undefined ? meant : undefined, value) }
  })
}

function meantBy(key: string, keys: readonly string[]): string | undefined {
  return keys.includes(key) ? key : suggest(key, keys)
}

function asSaid(meant: string | undefined, node: Node): Said {
  return { meant, node, texts: textsOf(node) }
}

function textsOf(node: Node): readonly string[] {
  if (node.kind === 'scalar') return typeof node.value === 'string' ? [node.value] : []
  return node.kind === 'list' ? node.items.flatMap(textsOf) : Array.from(node.members.values()).flatMap(({ value }) => textsOf(value))
}

function serviceOf(text: string): string {
  return text.split('/')[0] ?? ''
}

function distinct(list: readonly string[]): readonly string[] {
  return Array.from(new Set(list))
}
