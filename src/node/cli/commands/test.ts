import { readPolicyFolder } from '../../policy-source/folder.ts'
import { readPolicyTests } from '../../policy-test/document.ts'
import { runPolicyTests, type TestOutcome, uncoveredRules } from '../../policy-test/run.ts'
import { type Command, exit, policyOptions } from '../command.ts'
import { diagnosticText } from '../diagnostic-text.ts'
import { loadSound, placeOf } from '../load.ts'
import type { Terminal } from '../terminal.ts'

export const test: Command = {
  name: 'test',
  summary: 'Run the policy tests (*.test.yaml) with the production engine, without a network.',
  usage: '',
  options: [...policyOptions, { name: 'uncovered-fails', text: 'a rule that no test exercises is a failure' }],
  examples: ['sallyport test --env dev', 'sallyport test --env prod --uncovered-fails --json'],
  async run(args, terminal) {
    const place = placeOf(args)
    const sound = await loadSound(place, terminal)
    if (sound === undefined) return exit.findings
    const folder = await readPolicyFolder(place.folder)
    const read = [...folder.assets]
      .filter(([path]) => path.endsWith('.test.yaml'))
      .map(([path, bytes]) => readPolicyTests(path, new TextDecoder().decode(bytes)))
    const diagnostics = read.flatMap((one) => one.diagnostics)
    const outcomes = await terminal.progress(
      'Running policy tests',
      runPolicyTests(
        sound.policy,
        read.flatMap((one) => one.tests),
      ),
    )
    const uncovered = uncoveredRules(sound.policy, outcomes)
    const failed = outcomes.filter((outcome) => outcome.differences.length > 0)
    if (terminal.json) terminal.out(JSON.stringify({ passed: outcomes.length - failed.length, failed: failed.map(plain), diagnostics, uncovered }, null, 2))
    else {
      for (const one of diagnostics) terminal.out(diagnosticText(one, terminal, place.folder))
      print(outcomes, uncovered, terminal)
    }
    const fine = failed.length === 0 && diagnostics.length === 0 && outcomes.length > 0 && !(args.flags.has('uncovered-fails') && uncovered.length > 0)
    if (outcomes.length === 0 && !terminal.json) terminal.err(`no policy tests in ${place.folder}: write some into a file named *.test.yaml`)
    return fine ? exit.ok : exit.findings
  },
}

function plain({ test: { name, file, line }, differences }: TestOutcome): unknown {
  return { name, file, line, differences }
}

function print(outcomes: readonly TestOutcome[], uncovered: readonly string[], terminal: Terminal): void {
  for (const { test: one, differences } of outcomes) {
    const fine = differences.length === 0
    terminal.out(
      `${terminal.style(fine ? 'green' : 'red', fine ? 'ok    ' : 'FAILED')} ${one.name}${fine ? '' : terminal.style('dim', `  ${one.file}:${one.line}`)}`,
    )
    for (const difference of differences) terminal.out(`         ${difference}`)
  }
  const failed = outcomes.filter((outcome) => outcome.differences.length > 0).length
  terminal.out(`\n${outcomes.length - failed} passed, ${failed} failed`)
  if (uncovered.length > 0) terminal.out(`\nRules no test exercised:\n${uncovered.map((rule) => `  ${rule}`).join('\n')}`)
}
