import type { Dialect } from '../../model/dialect.ts'
import type { Received } from '../../model/exchange.ts'
import type { Route } from '../../model/route.ts'
import { type Entry, entriesOf, hiddenEntriesOf, isLiteral, seenEntriesOf } from './entry.ts'
import { queryReader } from './query.ts'
import { allowed, emptyTrie, find, insert, type Search, seal, type TrieNode } from './trie.ts'

/** Routes by host: exact names, `*.x` by what follows the star, and those of any host. */
export interface RouteBook {
  readonly exact: ReadonlyMap<string, TrieNode>
  readonly wildcard: ReadonlyMap<string, TrieNode>
  readonly any: TrieNode
  /** What shows through broken matches whose hosts are unknown; undefined when there is none. */
  readonly hidden: TrieNode | undefined
}

export type Found =
  | { readonly kind: 'found'; readonly entry: Entry; readonly segments: readonly string[] }
  /** The path is known, the method is not taken. */
  | { readonly kind: 'method'; readonly allow: readonly string[] }
  /** `fits` names what a route has in common with the request, as far as it goes. */
  | { readonly kind: 'none'; readonly fits: 'nothing' | 'host' | 'path' }

/** Compiles routes to one trie per host pattern. @throws Error on what the loader should have refused. */
export function buildBook(routes: readonly Route[]): RouteBook {
  const exact = new Map<string, TrieNode>()
  const wildcard = new Map<string, TrieNode>()
  const any = emptyTrie()
  for (const route of routes) {
    const entries = entriesOf(route)
    const { hosts } = route.match
    const tries = hosts.length === 0 ? [any] : hosts.map((host) => (host.startsWith('*.') ? trieOf(wildcard, host.slice(2)) : trieOf(exact, host)))
    for (const trie of tries) for (const entry of entries) insert(trie, entry)
  }
  for (const entry of routes.filter(isHostless).flatMap(seenEntriesOf)) for (const trie of [...exact.values(), ...wildcard.values()]) insert(trie, entry)
  for (const trie of [any, ...exact.values(), ...wildcard.values()]) seal(trie)
  return { exact, wildcard, any, hidden: hiddenTrie(routes) }
}

/** Of a broken match even the hosts may be what is missing: it stands beside every host's routes too. */
function isHostless({ match }: Route): boolean {
  return match.seen !== undefined && match.hosts.length === 0
}

function hiddenTrie(routes: readonly Route[]): TrieNode | undefined {
  const entries = routes.flatMap(hiddenEntriesOf)
  if (entries.length === 0) return undefined
  const trie = emptyTrie()
  for (const entry of entries) insert(trie, entry)
  seal(trie)
  return trie
}

function trieOf(tries: Map<string, TrieNode>, key: string): TrieNode {
  const known = tries.get(key)
  if (known !== undefined) return known
  const made = emptyTrie()
  tries.set(key, made)
  return made
}

/**
 * The entry that takes a request: of its exact host before its wildcard before any host, then the most specific. What shows
 * through a broken match of unknown hosts goes before all of them but literal templates. `fits` stands in place of the entries' own tests.
 */
export function lookUp(book: RouteBook, { request }: Pick<Received, 'request'>, dialect: Dialect, fits?: Search['fits']): Found {
  const { host, target, method, headers } = request
  const tries = [book.exact.get(host), book.wildcard.get(parentOf(host)), book.any]
  const segments = segmentsOf(target.path)
  const search: Search = {
    method,
    headers,
    query: queryReader(target.query),
    native: isCall(dialect, method),
    socket: request.upgrade?.protocol === 'websocket',
    segments,
    verb: verbOf(segments),
    trailingSlash: segments.at(-1) === '',
    missed: [],
    fits,
  }
  const entry = findHidden(book.hidden, search, findIn(tries, search))
  if (entry !== undefined) return { kind: 'found', entry, segments: withoutVerb(entry, search) }
  // Whoever brings tests of its own has heard of every entry by now.
  if (fits !== undefined) return { kind: 'none', fits: 'nothing' }
  const allow = allowed(search)
  if (allow.length > 0 && !allow.includes(method)) return { kind: 'method', allow }
  return { kind: 'none', fits: search.missed.length > 0 ? 'path' : tries.some(isUsed) ? 'host' : 'nothing' }
}

function findIn(tries: readonly (TrieNode | undefined)[], search: Search): Entry | undefined {
  for (const trie of tries) {
    const entry = trie === undefined ? undefined : find(trie, search)
    if (entry !== undefined) return entry
  }
  return undefined
}

function findHidden(trie: TrieNode | undefined, search: Search, found: Entry | undefined): Entry | undefined {
  const hidden = trie === undefined ? undefined : find(trie, search)
  return hidden === undefined || (found !== undefined && isLiteral(found) && !isLiteral(hidden)) ? found : hidden
}

/** What follows the first label; empty, which is no key, for a host of one label. */
function parentOf(host: string): string {
  const dot = host.indexOf('.')
  return dot > 0 ? host.slice(dot + 1) : ''
}

function isUsed(trie: TrieNode | undefined): boolean {
  return trie !== undefined && (trie.literals.size > 0 || trie.one !== undefined || isEnd(trie.here) || isEnd(trie.rest))
}

function isEnd(end: TrieNode['here']): boolean {
  return end.plain !== undefined || end.verbs.size > 0
}

function segmentsOf(path: string): readonly string[] {
  return path === '/' ? [] : path.slice(1).split('/')
}

function verbOf(segments: readonly string[]): Search['verb'] {
  const last = segments.at(-1) ?? ''
  const colon = last.lastIndexOf(':')
  return colon > 0 ? { before: last.slice(0, colon), name: last.slice(colon + 1) } : undefined
}

function withoutVerb(entry: Entry, { segments, verb }: Search): readonly string[] {
  return entry.template.verb === undefined || verb === undefined ? segments : [...segments.slice(0, -1), verb.before]
}

/** Whether an RPC is called by its path: with POST, and in Connect's own way with GET. */
function isCall(dialect: Dialect, method: string): boolean {
  return dialect.kind !== 'http' && (method === 'GET') === (dialect.kind === 'connect' && dialect.form === 'get')
}
