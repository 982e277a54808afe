import { StartError, startSallyport } from '../../main.ts'
import { readSettings, SettingsError } from '../../settings.ts'
import { serveUntilTold } from '../../signals.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'

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
    { name: 'lame-duck', value: 'TIME', text: 'how long readiness says no before draining (default: 5s)' },
    { name: 'drain', value: 'TIME', text: 'how long requests in flight may take to end (default: 25s)' },
  ],
  examples: ['SALLYPORT_ENV=prod sallyport serve --policies /policies', 'sallyport serve --env dev --redis redis://127.0.0.1:6379'],
  async run(args, terminal) {
    const { values } = args
    try {
      const settings = readSettings(
        {
          environment: values['env'],
          policies: values['policies'],
          strict: args.flags.has('strict') ? true : undefined,
          redis: values['redis'],
          otlp: values['otlp'],
          logLevel: values['log-level'],
          logFormat: values['log-format'],
          logTo: values['log-to'],
          stateDir: values['state'],
          lameDuck: values['lame-duck'],
          drain: values['drain'],
        },
        process.env,
        terminal.interactive,
      )
      return await serveUntilTold(await startSallyport(settings), process)
    } catch (error) {
      if (error instanceof SettingsError) throw new UsageError(error.message, { cause: error })
      if (!(error instanceof StartError)) throw error
      // The log has said why already, place by place.
      terminal.err(`Sallyport did not start: ${error.message}`)
      return exit.findings
    }
  },
}
