import { checkWorkerGround } from '../../../core/edge.ts'
import type { Diagnostic } from '../../../core/policy/diagnostic.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { diagnosticText, loadAt, placeOf } from '../load.ts'
import type { Terminal } from '../terminal.ts'

export const check: Command = {
  name: 'check',
  summary: 'Read, check and link the policies; print every problem with its place.',
  usage: '',
  options: [
    ...policyOptions,
    { name: 'strict', text: 'warnings are findings too' },
    { name: 'ground', value: 'GROUND', text: 'where they shall run: node, or worker for what an edge in a Worker cannot do (default: node)' },
  ],
  examples: ['sallyport check --env dev', 'SALLYPORT_ENV=prod sallyport check --policies deploy/policies --json'],
  async run(args, terminal) {
    const place = placeOf(args)
    const ground = groundOf(args.values['ground'])
    const loaded = await loadAt(place, terminal)
    const { policy } = loaded
    const diagnostics = [...loaded.diagnostics, ...(ground === 'worker' && policy !== undefined ? checkWorkerGround(policy, loaded.origins) : [])]
    const errors = diagnostics.filter((one) => one.severity === 'error').length
    const sound = errors === 0 && policy !== undefined && !(args.flags.has('strict') && diagnostics.length > 0)
    if (terminal.json) terminal.out(JSON.stringify({ ok: sound, environment: place.environment, revision: policy?.revision, diagnostics }, null, 2))
    else print(diagnostics, place.folder, terminal)
    if (!terminal.json && sound && policy !== undefined) {
      const count = (what: string, many: number) => `${many} ${what}${many === 1 ? '' : 's'}`
      const parts = [count('route', policy.routes.length), count('egress service', Object.keys(policy.egress).length)]
      terminal.out(`${terminal.style('green', 'ok')}: ${parts.join(', ')} for ${place.environment} (${policy.environmentClass}), revision ${policy.revision}`)
    }
    return sound ? exit.ok : exit.findings
  },
}

function groundOf(text = 'node'): 'node' | 'worker' {
  if (text === 'node' || text === 'worker') return text
  throw new UsageError(`--ground is ${JSON.stringify(text)}: it is node or worker`)
}

function print(diagnostics: readonly Diagnostic[], folder: string, terminal: Terminal): void {
  for (const one of diagnostics) terminal.out(diagnosticText(one, terminal, folder))
  const errors = diagnostics.filter((one) => one.severity === 'error').length
  const warnings = diagnostics.length - errors
  if (diagnostics.length > 0) terminal.out(`\n${errors} error${errors === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}`)
}
