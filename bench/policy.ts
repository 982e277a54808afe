import { buildDecide } from '../src/core/ingress/authorize.ts'
import { warmTokens } from './policy/tokens.ts'
import { manyRules, oneRule, type World } from './policy/worlds.ts'
import { spreadOf } from './report/statistics.ts'

/*
 * What access costs: the decision alone, by the rooms of production, and a token that was verified before. CPU time of this process, all
 * programs in turn within each round; differences are taken within a round.
 */
const rounds = 21
const calls = 50_000
const clock = { now: () => 1_770_000_000_000 } as const

type Program = readonly [name: string, atMost: number | undefined, run: () => unknown]

/** Nanoseconds of CPU per call. */
function lap(run: () => unknown): number {
  const begun = process.cpuUsage()
  for (let i = 0; i < calls; i++) if (run() === undefined) throw new Error('no answer')
  const { user, system } = process.cpuUsage(begun)
  return ((user + system) * 1000) / calls
}

function deciding({ policy, request }: World): () => unknown {
  const decide = buildDecide(policy, { clock: { ...clock, ticks: () => 0, after: () => ({ cancel: () => undefined }) } })
  const x = request()
  const decision = decide(x)
  if (decision.outcome !== 'permit') throw new Error(`refused: ${decision.code}`)
  return () => decide.screen(x) ?? decide(x)
}

const tokens = await warmTokens(100)
const few: Program = ['10 rules, 5 routes', undefined, deciding(await manyRules(10))]
const many: Program = ['1,000 rules, 500 routes', undefined, deciding(await manyRules(1000))]
const programs: readonly Program[] = [
  few,
  many,
  ['one rule: methods, scopes', 500, deciding(await oneRule('methods: [GET], scopes: [read]'))],
  ['one rule: methods, path, scopes', 500, deciding(await oneRule('methods: [GET], paths: ["/things/{id}"], scopes: [read]'))],
  ['one rule: claims', 500, deciding(await oneRule('claims: { tenant: red, plan: [free, pro] }'))],
  ['one rule: cidrs', 500, deciding(await oneRule('cidrs: [10.0.0.0/8, 192.0.2.0/24]'))],
  ['one rule: CEL, a claim', 2000, deciding(await oneRule('methods: [GET]', `, when: 'claims.tenant == "red"'`))],
  ['one rule: CEL, claim and variable', 2000, deciding(await oneRule('methods: [GET]', `, when: 'claims.tenant == "red" && request.params.id != "9"'`))],
  ['one rule: CEL, headers and claim', 2000, deciding(await oneRule('methods: [GET]', `, when: '!("x-a" in request.headers) && claims.tenant == "red"'`))],
  [`verified token, ${tokens.characters} characters`, 1000, tokens.ask],
  ['  on a connection that it is new to', undefined, tokens.askAnew],
  ['  of that SHA-256', undefined, tokens.digest],
]

for (const [, , run] of programs) lap(run)
const laps = Array.from({ length: rounds }, () => programs.map(([, , run]) => lap(run)))
const row = (cells: readonly string[]) => process.stdout.write(`${cells.map((cell, i) => (i === 0 ? cell.padEnd(38) : cell.padStart(10))).join('')}\n`)
process.stdout.write(`Node ${process.version}, ${rounds} rounds of ${calls.toLocaleString('en')} calls; ns of CPU per call\n\n`)
row(['', 'median', 'least', 'asked for'])
const shown = (name: string, values: readonly number[], atMost: number | undefined) =>
  row([name, spreadOf(values).median.toFixed(0), spreadOf(values).min.toFixed(0), atMost === undefined ? '' : `≤ ${atMost}`])
for (const [i, [name, atMost]] of programs.entries()) shown(name, laps.map((one) => one[i] ?? Number.NaN), atMost) // biome-ignore format: reads as one
shown('1,000 rules beyond 10 rules', laps.map((one) => (one[1] ?? Number.NaN) - (one[0] ?? Number.NaN)), 2000) // biome-ignore format: reads as one
