import { StartError } from '../../gateway/start.ts'
import { readSettings, type Settings, SettingsError } from '../../settings.ts'
import { serveUntilTold, type Told } from '../../signals.ts'
import { type Arguments, type Command, exit, policyOptions, UsageError } from '../command.ts'
import { diagnosticText } from '../diagnostic-text.ts'
import type { Terminal } from '../terminal.ts'

/** Diagnostics that are shown where the log cannot be seen. */
const shown = 5

export const serve: Command = {
  name: 'serve',
  summary: 'Run the gateway: public, egress and admin listeners, with policies reloaded as they change.',
  usage: '',
  options: [
    ...policyOptions,
    { name: 'strict', text: 'refuse to start on any error in the policies, instead of quarantining what is broken' },
    { name: 'redis', value: 'URL', text: 'shared store for limits (default: $REDIS_URL, else store: in the policies, else memory)' },
    { name: 'otlp', value: 'URL', text: 'export traces there (default: $OTEL_EXPORTER_OTLP_ENDPOINT, else not at all)' },
    { name: 'log-level', value: 'LEVEL', text: 'debug, info, warn, error or silent (default: info)' },
    { name: 'log-format', value: 'FORM', text: 'json or pretty (default: pretty on a terminal)' },
    { name: 'log-to', value: 'WHERE', text: 'stdout, stderr or a file (default: stdout)' },
    { name: 'state', value: 'FOLDER', text: 'keep last good key sets there across restarts' },
    { name: 'workers', value: 'N', text: 'processes that serve, or auto for one per core (default: 1)' },
    { name: 'lame-duck', value: 'TIME', text: 'how long readiness says no before draining (default: 5s)' },
    { name: 'drain', value: 'TIME', text: 'how long requests in flight may take to end (default: 25s)' },
  ],
  examples: ['SALLYPORT_ENV=prod sallyport serve --policies /policies', 'sallyport serve --env dev --redis redis://127.0.0.1:6379'],
  async run(args, terminal) {
    const settings = settingsOf(args, terminal)
    try {
      return await serveUntilTold(await start(settings, terminal), process)
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      terminal.err(`Sallyport did not start: ${error.message}`)
      if (!isLogSeen(settings)) printFirst(error, settings.policies, terminal)
      return exit.findings
    }
  },
}

async function start(settings: Settings, terminal: Terminal): Promise<Told> {
  if (settings.workers !== 1) return startFleet(settings, terminal)
  const { startSallyport } = await import('../../main.ts')
  return startSallyport(settings)
}

async function startFleet(settings: Settings, terminal: Terminal): Promise<Told> {
  const { startWorkers } = await import('../../workers.ts')
  const fleet = await startWorkers(settings)
  void fleet.failed.then((why) => terminal.err(`Sallyport ends: ${why}`))
  return fleet
}

/** @throws UsageError with every problem. */
function settingsOf({ values, flags }: Arguments, terminal: Terminal): Settings {
  const said = {
    environment: values['env'],
    policies: values['policies'],
    strict: flags.has('strict') ? true : undefined,
    redis: values['redis'],
    otlp: values['otlp'],
    logLevel: values['log-level'],
    logFormat: values['log-format'],
    logTo: values['log-to'],
    stateDir: values['state'],
    workers: values['workers'],
    lameDuck: values['lame-duck'],
    drain: values['drain'],
  }
  try {
    return readSettings(said, process.env, terminal.interactive)
  } catch (error) {
    throw error instanceof SettingsError ? new UsageError(error.message, { cause: error }) : error
  }
}

/** The log says why the start failed, place by place: where it is seen, nothing needs saying twice. */
function isLogSeen({ log }: Settings): boolean {
  return log.level !== 'silent' && ['stdout', 'stderr'].includes(log.to)
}

function printFirst({ diagnostics, message }: StartError, folder: string, terminal: Terminal): void {
  const errors = diagnostics.filter((one) => one.severity === 'error')
  for (const one of errors.slice(0, shown)) {
    // What could not be bound or reached is its own diagnostic: only what to do about it was not said yet.
    if (one.message !== message) terminal.err(diagnosticText(one, terminal, folder))
    else if (one.hint !== undefined) terminal.err(`    ${one.hint}`)
  }
  if (errors.length > shown) terminal.err(`and ${errors.length - shown} more: sallyport check prints them all`)
}
