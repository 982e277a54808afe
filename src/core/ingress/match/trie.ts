import type { Template } from '../../model/template.ts'
import { type Asked, bySpecificity, type Entry } from './entry.ts'
import { pickForSocket } from './socket.ts'

/*
 * Templates by segment. A walk tries literal before `*` before `**` at every segment and goes back where nothing fits, so
 * the first entry it finds is the most specific, whatever the order of insertion. `**` stands last, so the walk
 * visits each node at most once. A trailing slash is an empty last segment: it fits `**` of plain routes alone, for
 * google.api.http knows no empty segments.
 */

/** Entries of one template (or of templates that differ in variable names only). */
interface Leaf {
  readonly entries: Entry[]
  /** By method, most specific first, with those of any method at the end. Filled by `seal`. */
  readonly byMethod: Map<string, readonly Entry[]>
  any: readonly Entry[]
  /** Holds entries of plain routes. */
  plain: boolean
}

/** The end of a template: without a verb, and by verb. */
interface End {
  plain: Leaf | undefined
  readonly verbs: Map<string, Leaf>
}

export interface TrieNode {
  readonly literals: Map<string, TrieNode>
  one: TrieNode | undefined
  readonly here: End
  readonly rest: End
}

/** A request under way through the trie. */
export interface Search extends Asked {
  readonly method: string
  /** A WebSocket is asked for: it takes an RPC by each path that is bound to it, whatever the method. */
  readonly socket: boolean
  readonly segments: readonly string[]
  /** The last segment split at its last colon; undefined when it has none, or nothing before it. */
  readonly verb: { readonly before: string; readonly name: string } | undefined
  readonly trailingSlash: boolean
  /** Leaves whose path fits and which took nothing. */
  readonly missed: Leaf[]
  /** In place of the entries' own tests of headers and query. */
  readonly fits: ((entry: Entry, asked: Asked) => boolean) | undefined
}

export function emptyTrie(): TrieNode {
  return { literals: new Map(), one: undefined, here: { plain: undefined, verbs: new Map() }, rest: { plain: undefined, verbs: new Map() } }
}

/** Puts an entry in its place. `seal` must follow before the first search. */
export function insert(root: TrieNode, entry: Entry): void {
  let node = root
  let end: End | undefined
  for (const segment of entry.template.segments) {
    if (segment.kind === 'rest') end = node.rest
    else if (segment.kind === 'one') node = node.one ??= emptyTrie()
    else node = child(node, segment.text)
  }
  leafOf(end ?? node.here, entry.template).entries.push(entry)
}

function child(node: TrieNode, text: string): TrieNode {
  const known = node.literals.get(text)
  if (known !== undefined) return known
  const made = emptyTrie()
  node.literals.set(text, made)
  return made
}

function leafOf(end: End, { verb }: Template): Leaf {
  const known = verb === undefined ? end.plain : end.verbs.get(verb)
  if (known !== undefined) return known
  const made: Leaf = { entries: [], byMethod: new Map(), any: [], plain: false }
  if (verb === undefined) end.plain = made
  else end.verbs.set(verb, made)
  return made
}

/** Sorts every leaf for searching. */
export function seal(node: TrieNode): void {
  for (const end of [node.here, node.rest]) {
    if (end.plain !== undefined) sealLeaf(end.plain)
    for (const leaf of end.verbs.values()) sealLeaf(leaf)
  }
  for (const next of node.literals.values()) seal(next)
  if (node.one !== undefined) seal(node.one)
}

function sealLeaf(leaf: Leaf): void {
  leaf.entries.sort(bySpecificity)
  leaf.plain = leaf.entries.some((entry) => entry.rpc === undefined)
  leaf.any = leaf.entries.filter((entry) => entry.methods.length === 0)
  const named = (method: string) => leaf.entries.filter((entry) => entry.methods.includes(method) || (entry.seen === true && entry.methods.length === 0))
  for (const method of new Set(leaf.entries.flatMap((entry) => entry.methods))) leaf.byMethod.set(method, [...named(method), ...leaf.any])
  const heads = named('HEAD')
  const gets = named('GET').filter((entry) => entry.headWithGet && !heads.includes(entry))
  if (gets.length > 0) leaf.byMethod.set('HEAD', [...heads, ...gets, ...leaf.any])
}

/** The most specific entry that takes the request; without one, `search.missed` holds the leaves whose path fits. */
export function find(root: TrieNode, search: Search): Entry | undefined {
  return walk(root, 0, search)
}

function walk(node: TrieNode, at: number, search: Search): Entry | undefined {
  const { segments, verb } = search
  if (at === segments.length) return take(node.here.plain, search) ?? take(node.rest.plain, search)
  const segment = segments[at] as string // at is inside
  // A colon in the last segment starts a verb where a rule has that verb, and is data everywhere else.
  const last = at === segments.length - 1 ? verb : undefined
  const { one } = node
  if (node.literals.size > 0) {
    const byVerb = last === undefined ? undefined : node.literals.get(last.before)
    const literal = node.literals.get(segment)
    const found = takeVerb(byVerb, last, search) ?? (literal === undefined ? undefined : walk(literal, at + 1, search))
    if (found !== undefined) return found
  }
  if (one !== undefined && segment !== '') {
    const found = takeVerb(one, last, search) ?? walk(one, at + 1, search)
    if (found !== undefined) return found
  }
  const rest = verb === undefined ? undefined : take(node.rest.verbs.get(verb.name), search)
  return rest ?? take(node.rest.plain, search)
}

function takeVerb(node: TrieNode | undefined, verb: Search['verb'], search: Search): Entry | undefined {
  if (node === undefined || verb === undefined) return undefined
  return take(node.here.verbs.get(verb.name), search) ?? take(node.rest.verbs.get(verb.name), search)
}

function take(leaf: Leaf | undefined, search: Search): Entry | undefined {
  if (leaf === undefined || (search.trailingSlash && !leaf.plain)) return undefined
  if (search.socket) {
    const entry = pickForSocket(leaf.entries.filter((candidate) => couldFit(candidate, search)))
    if (entry !== undefined) return entry
    search.missed.push(leaf)
    return undefined
  }
  for (const entry of leaf.byMethod.get(search.method) ?? leaf.any) if ((!entry.native || search.native) && couldFit(entry, search)) return entry
  search.missed.push(leaf)
  return undefined
}

/** Whether nothing but the method can keep the entry of a leaf whose path fits from taking the request. */
function couldFit(entry: Entry, search: Search): boolean {
  return !(search.trailingSlash && entry.rpc !== undefined) && (search.fits?.(entry, search) ?? entry.accepts(search))
}

/** Methods that would be taken on the leaves that were missed, sorted: the Allow header of a 405. */
export function allowed(search: Search): readonly string[] {
  const methods = new Set<string>()
  for (const leaf of search.missed) {
    for (const entry of leaf.entries) {
      // Calls of another dialect: a rule takes POST of the same path, and GET is Connect's alone.
      if ((entry.native && !search.native) || !couldFit(entry, search)) continue
      for (const method of entry.methods) methods.add(method)
      if (entry.headWithGet && entry.methods.includes('GET')) methods.add('HEAD')
    }
  }
  return [...methods].sort()
}
