import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Demo, startDemo } from '../../demo/demo.ts'
import type { Step } from '../../demo/step.ts'
import { tokenCommands } from '../../demo/steps.ts'
import { type Command, exit, UsageError } from '../command.ts'
import type { Terminal } from '../terminal.ts'

export const demo: Command = {
  name: 'demo',
  summary: 'Start a sample shop with Sallyport in front of it, and show the main job.',
  usage: '',
  options: [
    { name: 'check', text: 'run through everything on free ports, then end; exits 1 if an answer differs' },
    { name: 'policies', value: 'FOLDER', text: "the shop's policies (default: those that come with Sallyport)" },
    { name: 'log', value: 'FILE', text: 'write the gateway’s records there (stdout works too)' },
  ],
  examples: ['sallyport demo', 'sallyport demo --check', 'sallyport demo --log stdout'],
  async run(args, terminal) {
    const check = args.flags.has('check')
    const policies = args.values['policies'] === undefined ? shippedPolicies() : resolve(args.values['policies'])
    const stop = stopSignal()
    const demo = await terminal.progress('Starting the shop', startDemo({ policies, anyPorts: check, env: process.env, log: args.values['log'] }))
    try {
      introduce(demo, terminal)
      const differing = await show(demo, terminal, stop)
      if (!stop.wasAsked()) {
        if (differing > 0 || check) return conclude(differing, demo.steps.length, terminal)
        invite(demo, terminal)
        await stop.asked
      }
      if (!terminal.json) terminal.out('\nStopping …')
      // A check that was stopped has not found that all is well.
      if (check) return exit.findings
      return exit.ok
    } finally {
      await demo.close()
      stop.forget()
    }
  },
}

/** The policies folder beside `package.json`, from source and from `dist` alike. @throws UsageError when it is not there. */
function shippedPolicies(): string {
  let at = dirname(fileURLToPath(import.meta.url))
  while (at !== dirname(at)) {
    if (existsSync(join(at, 'package.json')) && existsSync(join(at, 'policies', 'gateway.yaml'))) return join(at, 'policies')
    at = dirname(at)
  }
  throw new UsageError("the shop's policies are not beside this program: pass --policies FOLDER")
}

interface Stop {
  readonly asked: Promise<void>
  readonly wasAsked: () => boolean
  forget(): void
}

function stopSignal(): Stop {
  const { promise, resolve: ask } = Promise.withResolvers<void>()
  let asked = false
  const onSignal = (): void => {
    asked = true
    ask()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return { asked: promise, wasAsked: () => asked, forget: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal) }
}

function introduce(demo: Demo, terminal: Terminal): void {
  const { workspace, issuer } = demo.world
  const { ports, moved } = workspace
  if (terminal.json) return
  if (terminal.interactive) terminal.out(banner(terminal))
  terminal.out(`gateway      http://127.0.0.1:${ports.public}    admin http://127.0.0.1:${ports.admin}    ambassador http://127.0.0.1:${ports.payments}`)
  terminal.out(`sidecar      ${demo.shop.sidecar.description}`)
  terminal.out(`issuer       ${issuer.url}`)
  terminal.out(`policies     ${workspace.policies}`)
  if (moved.length > 0)
    terminal.out(`${terminal.style('yellow', 'note')}         other programs hold the usual ports of: ${moved.join(', ')}; free ones are used`)
  terminal.out('\nThe commands below use these tokens:')
  for (const command of tokenCommands(demo.world)) terminal.out(`  ${command}`)
}

function banner(terminal: Terminal): string {
  return terminal.style('cyan', ['', '   ▄▀▀▀▀▄    Sallyport', '   █ ▐▌ █    one gate, two directions, one set of policy files', '   █ ▐▌ █', ''].join('\n'))
}

/** Runs and prints every step; returns how many differ from what they must be. */
async function show(demo: Demo, terminal: Terminal, stop: Stop): Promise<number> {
  const results: { readonly title: string; readonly command: string; readonly answer: readonly string[]; readonly problems: readonly string[] }[] = []
  for (const [at, step] of demo.steps.entries()) {
    if (stop.wasAsked()) break
    const { lines, problems } = await shownBy(step)
    // Ctrl-C reaches Envoy as well: what a step meets then says nothing.
    if (stop.wasAsked()) break
    results.push({ title: step.title, command: step.command, answer: lines, problems })
    if (terminal.json) continue
    const mark = problems.length === 0 ? terminal.style('green', 'ok') : terminal.style('red', 'DIFFERS')
    terminal.out(`\n${terminal.style('bold', `${at + 1}. ${step.title}`)}  ${mark}`)
    terminal.out(terminal.style('cyan', `   $ ${step.command}`))
    for (const line of lines) terminal.out(`     ${line}`)
    for (const problem of problems) terminal.out(`     ${terminal.style('red', `differs: ${problem}`)}`)
  }
  if (terminal.json) terminal.out(JSON.stringify(results, null, 2))
  return results.filter((result) => result.problems.length > 0).length
}

async function shownBy(step: Step): Promise<{ readonly lines: readonly string[]; readonly problems: readonly string[] }> {
  try {
    return await step.run()
  } catch (error) {
    return { lines: [], problems: [error instanceof Error ? error.message : String(error)] }
  }
}

function conclude(differing: number, steps: number, terminal: Terminal): number {
  if (!terminal.json)
    terminal.out(
      differing === 0
        ? `\n${terminal.style('green', `All ${steps} steps are as they must be.`)}`
        : `\n${terminal.style('red', `${differing} of ${steps} steps differ.`)}`,
    )
  return differing === 0 ? exit.ok : exit.findings
}

function invite(demo: Demo, terminal: Terminal): void {
  const { workspace } = demo.world
  if (terminal.json) return
  terminal.out(`\n${terminal.style('bold', 'Everything keeps running. Try:')}`)
  terminal.out(`  the status page         http://127.0.0.1:${workspace.ports.admin}/`)
  terminal.out(`  the metrics             curl -s http://127.0.0.1:${workspace.ports.admin}/metrics`)
  terminal.out(`  edit a policy           ${workspace.policies}`)
  terminal.out('  End it with Ctrl-C.')
}
