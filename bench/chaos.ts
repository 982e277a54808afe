import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { runScenario } from './chaos/run-scenario.ts'
import type { ChaosOptions, Verdict } from './chaos/scenario.ts'
import { scenarios } from './chaos/scenarios.ts'
import { columns } from './report/table.ts'

const usage = `npm run chaos -- [--rate N] [--seconds N] [--list] [GROUP | GROUP/NAME ...]

Breaks one thing after another under a steady load and prints what callers saw.
  --rate N      requests per second (200)
  --seconds N   how long each phase lasts, and a fault that stays (4)
  --list        name the scenarios

Exit status: 0 all that must hold held, 1 it did not, 2 wrong usage. Times that were missed are named and do not count: a busy machine misses them too.`

/** @returns the exit status */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      rate: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '4' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const options: ChaosOptions = { rate: Number(values.rate), seconds: Number(values.seconds) }
  const unknown = positionals.filter((wanted) => !scenarios.some(({ name }) => isWanted(name, [wanted])))
  if (values.help || unknown.length > 0 || !(options.rate >= 20) || !(options.seconds >= 1)) {
    process.stderr.write(`${unknown.map((name) => `there is no scenario ${name}\n`).join('')}${usage}\n`)
    return values.help ? 0 : 2
  }
  const chosen = scenarios.filter(({ name }) => isWanted(name, positionals))
  if (values.list) {
    process.stdout.write(`${columns([['scenario', 'what happens'], ...chosen.map(({ name, about }) => [name, about])])}\n`)
    return 0
  }
  process.stdout.write(
    `Node ${process.version}, ${options.rate} requests a second, phases of ${options.seconds} s, load average before: ${loadavg()[0]?.toFixed(2)}\n`,
  )
  return await runAll(chosen, options)
}

function isWanted(name: string, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((one) => name === one || name.startsWith(`${one}/`))
}

async function runAll(chosen: typeof scenarios, options: ChaosOptions): Promise<number> {
  let failed = false
  for (const [group, members] of Map.groupBy(chosen, ({ name }) => name.split('/')[0] ?? '')) {
    const rows: { readonly name: string; readonly verdict: Verdict }[] = []
    const remarks: string[] = []
    for (const scenario of members) {
      const name = scenario.name.slice(group.length + 1)
      const missing = scenario.missing()
      if (missing !== undefined) {
        remarks.push(`${name}: skipped, ${missing}`)
        continue
      }
      process.stderr.write(`${scenario.name}: ${scenario.about}\n`)
      const verdict = await runScenario(scenario, options)
      rows.push({ name, verdict })
      remarks.push(...verdict.broken.map((what) => `${name}: FAILED, ${what}`), ...verdict.missed.map((what) => `${name}: missed, ${what}`))
      failed ||= verdict.broken.length > 0
    }
    const names = Object.keys(rows[0]?.verdict.figures ?? {})
    const table = columns([[group, ...names], ...rows.map(({ name, verdict }) => [name, ...names.map((column) => verdict.figures[column] ?? '')])])
    process.stdout.write(`\n${table}\n${remarks.map((remark) => `${remark}\n`).join('')}`)
  }
  return failed ? 1 : 0
}

// The handlers of 'exit' end what was started.
for (const [name, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const)
  process.on(name, () => process.exit(128 + number))
process.exitCode = await main()
