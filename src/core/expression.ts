import { type ASTNode, TypeError as CelTypeError, Environment, ParseError } from '@marcbachmann/cel-js'

/** What a `when:` may ask about. Strings are empty where a fact is absent; maps lack the key, and reading a missing key is an evaluation error. */
export interface ExpressionInput {
  readonly request: {
    readonly method: string
    readonly path: string
    readonly host: string
    /** `package.Service/Method`; empty on a route that is not gRPC. */
    readonly rpc: string
    readonly params: Readonly<Record<string, string>>
    /** By lower-case name. */
    readonly headers: Readonly<Record<string, string>>
    readonly query: Readonly<Record<string, string>>
  }
  /** Claims of the verified token; none for an anonymous request. JSON numbers are doubles: arithmetic with `now` needs `int(claims.x)`. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly principal: {
    readonly kind: string
    /** Name of the issuer in the policies. */
    readonly issuer: string
    readonly subject: string
    readonly clientId: string
    readonly scopes: readonly string[]
  }
  readonly client: { readonly address: string; readonly network: string }
  /** Whole seconds since the epoch; an `int` in the expression, as NumericDate claims are. `timestamp(now)` makes it a timestamp. */
  readonly now: number
}

/** A sentence for the author, and the offset into the source it speaks of. */
export interface ExpressionProblem {
  readonly message: string
  readonly at: number | undefined
}

/** The names an expression may begin with. */
export type ExpressionRoot = keyof ExpressionInput

const roots = ['request', 'claims', 'principal', 'client', 'now'] as const satisfies readonly ExpressionRoot[]
const nodeLimit = 400
// `cel.bind` counts as one of them: nested, a chain of doublings in 400 nodes would fill the memory.
const macros = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind'])

const environment = new Environment({ unlistedVariablesAreDyn: false, limits: { maxAstNodes: nodeLimit, maxDepth: 100 } })
  .registerVariable({
    name: 'request',
    schema: {
      method: 'string',
      path: 'string',
      host: 'string',
      rpc: 'string',
      params: 'map<string, string>',
      headers: 'map<string, string>',
      query: 'map<string, string>',
    },
  })
  .registerVariable('claims', 'map<string, dyn>')
  .registerVariable({
    name: 'principal',
    schema: { kind: 'string', issuer: 'string', subject: 'string', clientId: 'string', scopes: 'list<string>' },
  })
  .registerVariable({ name: 'client', schema: { address: 'string', network: 'string' } })
  .registerVariable('now', 'int')

type Checked = { readonly problem: ExpressionProblem } | { readonly problem: undefined; readonly run: (context: object) => unknown; readonly ast: ASTNode }

/**
 * Why `source` is not an acceptable `when:`, or undefined. Fences: it must parse and type-check against `ExpressionInput`,
 * give a bool, have at most 400 nodes, not call `matches()` (its backtracking RegExp can be made to hang) and not put a
 * list macro inside, or behind, another.
 */
export function checkExpression(source: string): ExpressionProblem | undefined {
  return checked(source).problem
}

/**
 * Compiles a checked expression. The result throws when evaluation fails, as on a missing claim.
 * @throws Error when `checkExpression` has a complaint.
 */
export function compileExpression(source: string): (input: ExpressionInput) => boolean {
  const result = checked(source)
  if (result.problem !== undefined) throw new Error(`not an acceptable expression: ${result.problem.message}`)
  const { run } = result
  const read = [...expressionRoots(source)]
  return (input) => {
    // Only what it reads: the rest may cost something to make.
    const context: { [root in ExpressionRoot]?: unknown } = {}
    for (const root of read) context[root] = root === 'now' ? BigInt(Math.floor(input.now)) : input[root]
    const value = run(context)
    if (typeof value !== 'boolean') throw new Error('the expression did not give a bool')
    return value
  }
}

/** Which of the five names an acceptable expression reads; empty for one that does not parse. */
export function expressionRoots(source: string): ReadonlySet<ExpressionRoot> {
  const result = checked(source)
  const found = new Set<ExpressionRoot>()
  if (result.problem !== undefined) return found
  for (const { node } of walk(result.ast, false)) {
    const root = node.op === 'id' ? roots.find((name) => name === node.args) : undefined
    if (root !== undefined) found.add(root)
  }
  return found
}

/** Names of the path variables that an acceptable expression reads, as in `request.params.tenant`; empty for one that does not parse. */
export function expressionParams(source: string): ReadonlySet<string> {
  const result = checked(source)
  const found = new Set<string>()
  if (result.problem !== undefined) return found
  for (const { node } of walk(result.ast, false)) {
    if ((node.op !== '.' && node.op !== '[]') || !isParams(node.args[0])) continue
    const member = node.args[1]
    const name = isNode(member) ? (member.op === 'value' ? member.args : undefined) : member
    if (typeof name === 'string') found.add(name)
  }
  return found
}

function isParams(node: ASTNode): boolean {
  return node.op === '.' && node.args[1] === 'params' && node.args[0].op === 'id' && node.args[0].args === 'request'
}

function checked(source: string): Checked {
  try {
    const parsed = environment.parse(source)
    const fenced = fence(parsed.ast)
    if (fenced !== undefined) return { problem: fenced }
    const types = parsed.check()
    if (!types.valid) return { problem: problemFrom(types.error) }
    if (types.type === 'bool') return { problem: undefined, run: parsed, ast: parsed.ast }
    const hint = types.type === 'dyn' ? 'compare it, as in `claims.admin == true`' : 'compare it with something'
    return { problem: { message: `the expression must give a bool, not ${types.type ?? 'nothing'}: ${hint}`, at: undefined } }
  } catch (error) {
    return { problem: problemFrom(error) }
  }
}

function fence(ast: ASTNode): ExpressionProblem | undefined {
  for (const { node, inMacro } of walk(ast, false)) {
    const name = calledName(node)
    if (name === 'matches') {
      const message = '`matches()` is not allowed, because its regular expressions can be made to hang: use a `pattern` matcher of the rule or the route'
      return { message, at: node.start }
    }
    if (inMacro && isMacro(node)) return { message: `list macros cannot be nested or chained: \`${name}\` works on another one's items`, at: node.start }
  }
  return undefined
}

function calledName(node: ASTNode): string | undefined {
  return node.op === 'call' || node.op === 'rcall' ? node.args[0] : undefined
}

function isMacro(node: ASTNode): boolean {
  return node.op === 'rcall' && macros.has(node.args[0])
}

/** Every node with whether a macro stands above it. */
function* walk(node: ASTNode, inMacro: boolean): Generator<{ node: ASTNode; inMacro: boolean }> {
  yield { node, inMacro }
  for (const child of childrenOf(node.args)) yield* walk(child, inMacro || isMacro(node))
}

function* childrenOf(args: unknown): Generator<ASTNode> {
  if (Array.isArray(args)) for (const item of args) yield* childrenOf(item)
  else if (isNode(args)) yield args
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value
}

function problemFrom(error: unknown): ExpressionProblem {
  if (!(error instanceof ParseError || error instanceof CelTypeError)) return { message: error instanceof Error ? error.message : String(error), at: undefined }
  const at = error.range?.start
  if (error.code === 'unknown_variable') return { message: `${decapitalized(error.summary)}: an expression knows ${roots.join(', ')}`, at }
  if (error.code === 'limit_exceeded') return { message: `the expression is too large (at most ${nodeLimit} nodes, 100 levels deep): ${error.summary}`, at }
  return { message: decapitalized(error.summary), at }
}

function decapitalized(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
