import { isAlias, isMap, isNode, isScalar, isSeq, parseDocument, visit } from 'yaml'
import { compileExpression } from '../../src/core/expression.ts'

/*
 * What a policy document says about access, read a second time and in the plainest way: the YAML library's own strict parse to plain data,
 * and a loop over rules. No linking, no index, no quarantine, no defaults of the loader. It shares with the gateway the tokenizer of YAML
 * and the CEL engine, and nothing else.
 */

export interface Probe {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  readonly client: string
  readonly principal: { readonly issuer: string; readonly claims: Readonly<Record<string, unknown>> } | undefined
}

type Plain = Readonly<Record<string, unknown>>

class Unclear extends Error {}

/** Everything strict but that a key may stand twice: such a mapping is unclear as a whole, and only it. */
function strict(text: string) {
  return parseDocument(text, { strict: true, uniqueKeys: false, version: '1.2', schema: 'core' })
}

const twice = Symbol('a key stands here twice')

/** Plain data. A section that stands twice is one, with the names of both; a name that stands twice in it is nobody's. */
function plain(node: unknown, depth = 0): unknown {
  if (isScalar(node)) return node.value
  if (isSeq(node)) return node.items.map((item) => plain(item, depth + 1))
  if (!isMap(node)) return null
  const members: Record<string | symbol, unknown> = Object.create(null)
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : ''
    const read = plain(value, depth + 1)
    const before = members[name]
    if (!(name in members)) members[name] = read
    else if (depth === 0 && isMapping(before) && isMapping(read)) members[name] = merged(before, read)
    else if (depth === 1) members[name] = { [twice]: true }
    else members[twice] = true
  }
  return members
}

function isMapping(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A name in both halves is nobody's. */
function merged(a: Plain, b: Plain): Plain {
  const both = Object.keys(a).filter((name) => name in b)
  return { ...a, ...b, ...Object.fromEntries(both.map((name) => [name, { [twice]: true }])) }
}

/** A template with a brace and without quotes, in flow style: the loader reports it where it stands and reads on. It says nothing here. */
const unquoted = /(?<=[[{,:]\s*)\/[^\s,'"[\]]*\{[^\s,'"[\]{}]*\}[^\s,[\]]*/g

/** Whether the text lets the request pass. Text that is no strict YAML, and a policy that says anything unknown, let nobody pass. */
export function plainlyAllows(text: string, probe: Probe): boolean {
  const document = [strict(text), strict(text.replaceAll(unquoted, 'null'))].find(({ errors, warnings }) => errors.length + warnings.length === 0)
  if (document === undefined) return false
  let odd = false
  visit(document, (_, node) => {
    if (isAlias(node) || (isNode(node) && 'anchor' in node && node.anchor !== undefined) || (isNode(node) && node.tag?.startsWith('!') === true)) odd = true
  })
  if (odd) return false
  const root = plain(document.contents)
  if (!isMapping(root) || twice in root) return false
  return Object.values(plainOf(root['routes'])).some((route) => {
    try {
      const { match, access } = plainOf(route)
      return takes(plainOf(match), probe) && decides(policiesOf(access, plainOf(root['access'])), probe)
    } catch (error) {
      // An error in a rule refuses: of a deny by the fixed order, of a shape by quarantine.
      if (error instanceof Unclear) return false
      throw error
    }
  })
}

function plainOf(value: unknown): Plain {
  if (!isMapping(value)) return {}
  if (twice in value) throw new Unclear('a key stands twice')
  return value
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Unclear('no list')
  return value
}

function takes(match: Plain, { method, path, host }: Probe): boolean {
  const fits = (key: string, test: (list: readonly unknown[]) => boolean) => match[key] === undefined || (Array.isArray(match[key]) && test(match[key]))
  const hosts = match['host'] === undefined ? match['hosts'] : [match['host']]
  return (
    typeof match['path'] === 'string' &&
    fitsPath(match['path'], path) &&
    fits('methods', (list) => hasMethod(list, method)) &&
    (hosts === undefined || (Array.isArray(hosts) && hosts.some((one) => fitsHost(one, host))))
  )
}

function hasMethod(list: readonly unknown[], method: string): boolean {
  return list.includes(method) || (method === 'HEAD' && list.includes('GET'))
}

function fitsHost(pattern: unknown, host: string): boolean {
  return pattern === host || (typeof pattern === 'string' && pattern.startsWith('*.') && host.replace(/^[^.]+/, '*') === pattern)
}

/** Templates of plain segments, `{name}` and a last `{**}` or `**`. */
function fitsPath(template: unknown, path: string): boolean {
  if (typeof template !== 'string') throw new Unclear('no template')
  const source = template.split('/').map((part) => {
    if (part === '{**}' || part === '**') return '(?:.*)'
    return part.startsWith('{') || part.startsWith(':') || part === '*' ? '[^/]+' : part.replace(/[^\w-]/g, '\\$&')
  })
  const pattern = source.join('/').replace(/\/\(\?:\.\*\)$/, '(?:/.*)?')
  return new RegExp(`^${pattern}$`).test(path)
}

function policiesOf(said: unknown, named: Plain): readonly Plain[] {
  if (typeof said === 'object' && said !== null && !Array.isArray(said)) return [said as Plain]
  const names = typeof said === 'string' ? [said] : listOf(said)
  return names.map((name) => {
    if (typeof name !== 'string' || !Object.hasOwn(named, name)) throw new Unclear('no such policy')
    return plainOf(named[name])
  })
}

const known = {
  policy: ['authenticate', 'rules', 'mode'],
  rule: ['id', 'allow', 'deny', 'audit', 'when', 'reason', 'mode', 'widen'],
  matcher: ['anonymous', 'methods', 'paths', 'hosts', 'scopes', 'roles', 'claims', 'cidrs', 'headers', 'acr'],
}

function only(value: Plain, keys: readonly string[]): Plain {
  if (Object.keys(value).some((key) => !keys.includes(key))) throw new Unclear('an unknown key')
  return value
}

function decides(policies: readonly Plain[], sent: Probe): boolean {
  const all = policies.map((policy) => only(policy, known.policy))
  const probe = all.reduce((known, policy) => admitted(policy['authenticate'], known, sent), { ...sent, principal: undefined } as Probe)
  const rules = all.flatMap((policy) => {
    const list = listOf(policy['rules']).map((rule) => only(plainOf(rule), known.rule))
    return policy['mode'] === 'audit' ? [] : list.filter((rule) => rule['mode'] !== 'audit')
  })
  // Every rule is looked at, so that a broken one is seen.
  const denied = rules.filter((rule) => 'deny' in rule).map((rule) => fits(rule, 'deny', probe))
  const allowed = rules.filter((rule) => 'allow' in rule).map((rule) => fits(rule, 'allow', probe))
  return !denied.includes(true) && allowed.includes(true)
}

/** Without `authenticate` the only issuer is asked, where anything asks for somebody: who sent a token is known then. */
function admitted(said: unknown, probe: Probe, sent: Probe): Probe {
  if (said === undefined) return sent
  if (said === 'none') return probe
  const requirement = plainOf(said)
  if ('optional' in requirement) return sent
  if (typeof requirement['jwt'] !== 'string' || sent.principal?.issuer !== requirement['jwt']) throw new Unclear('not authenticated')
  return sent
}

function fits(rule: Plain, effect: 'allow' | 'deny', probe: Probe): boolean {
  const matcher = only(plainOf(rule[effect]), known.matcher)
  const claims = probe.principal?.claims
  const asks = Object.entries(matcher).map(([key, value]) => holds(key, value, effect, probe))
  if (effect === 'allow' && matcher['anonymous'] !== true && claims === undefined) return false
  if (asks.includes(false)) return false
  return rule['when'] === undefined || when(rule['when'], effect, probe)
}

function holds(key: string, value: unknown, effect: 'allow' | 'deny', probe: Probe): boolean {
  const claims = probe.principal?.claims
  const within = (one: unknown, list: readonly unknown[]) => (Array.isArray(one) ? one.some((item) => list.includes(item)) : list.includes(one))
  switch (key) {
    case 'anonymous':
      return effect === 'allow' || value !== true || claims === undefined
    case 'methods':
      return hasMethod(listOf(value), probe.method)
    case 'paths':
      return listOf(value).some((one) => fitsPath(one, probe.path))
    case 'hosts':
      return listOf(value).some((one) => fitsHost(one, probe.host))
    case 'scopes': {
      const has = (one: unknown) => textOf(claims?.['scope']).split(' ').includes(String(one)) // biome-ignore format: reads as one
      if (Array.isArray(value)) return claims !== undefined && value.every(has)
      const { all = [], any } = plainOf(value)
      return claims !== undefined && listOf(all).every(has) && (any === undefined || listOf(any).some(has))
    }
    case 'roles':
      return claims !== undefined && within(claims['roles'], listOf(Array.isArray(value) ? value : plainOf(value)['any']))
    case 'acr':
      return claims !== undefined && typeof claims['acr'] === 'string' && listOf(value).includes(claims['acr'])
    case 'claims':
      return Object.entries(plainOf(value)).every(([name, test]) => {
        const held = claims?.[name]
        if (plainOf(test)['present'] === true) return held !== undefined && held !== null
        if (plainOf(test)['equals'] === 'header.x-tenant') return held !== undefined && held === probe.headers['x-tenant']
        return claims !== undefined && within(held, Array.isArray(test) ? test : [test])
      })
    case 'cidrs':
      return listOf(value).some((one) => inside(String(one), probe.client))
    case 'headers':
      return Object.entries(plainOf(value)).every(([name, test]) => {
        const held = Object.hasOwn(probe.headers, name) ? probe.headers[name] : undefined
        if (typeof test === 'string') return held === test
        const { exact, prefix, present, pattern } = plainOf(test)
        if (present === false) return held === undefined
        if (held === undefined) return false
        return (
          (exact === undefined || held === exact) &&
          (prefix === undefined || (typeof prefix === 'string' && held.startsWith(prefix))) &&
          (pattern === undefined || new RegExp(`^(?:${textOf(pattern)})$`).test(held))
        )
      })
    default:
      throw new Unclear(key)
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function inside(cidr: string, address: string): boolean {
  const [base = '', bits = '32'] = cidr.split('/')
  const binary = (text: string) => text.split('.').map((octet) => Number(octet).toString(2).padStart(8, '0')).join('') // biome-ignore format: reads as one
  return binary(base).slice(0, Number(bits)) === binary(address).slice(0, Number(bits))
}

function when(source: unknown, effect: 'allow' | 'deny', { method, path, host, headers, client, principal }: Probe): boolean {
  if (typeof source !== 'string') throw new Unclear('no expression')
  if (effect === 'deny' && principal === undefined && source.includes('claims')) return false
  const subject = { issuer: principal?.issuer ?? '', subject: textOf(principal?.claims['sub']), clientId: '', scopes: [] }
  try {
    return compileExpression(source)({
      request: { method, path, host, rpc: '', params: {}, headers, query: {} },
      claims: principal?.claims ?? {},
      principal: { kind: principal === undefined ? 'anonymous' : 'subject', ...subject },
      client: { address: client, network: `${client}/32` },
      now: 0,
    })
  } catch {
    if (effect === 'deny') throw new Unclear('a deny that cannot be evaluated')
    return false
  }
}
