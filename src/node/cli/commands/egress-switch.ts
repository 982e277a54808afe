import * as z from 'zod'
import { adminOf, adminOption, askAdmin, egressInForce } from '../admin-client.ts'
import { type Arguments, type Command, exit, UsageError } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { whoAmI } from '../who.ts'

const switched = z.object({
  switched: z.boolean(),
  dryRun: z.boolean(),
  before: z.string(),
  after: z.string(),
  revision: z.string(),
  inFlight: z.number(),
  replicas: z.number(),
  waiting: z.array(z.string()),
  endsAt: z.string().nullable(),
})

const refusal = z.object({ code: z.string(), detail: z.string() })

export const egressSwitch: Command = {
  name: 'egress switch',
  summary: 'Send the calls of one egress service to another environment of the same class, in a running gateway, or back.',
  usage: 'SERVICE',
  options: [
    { name: 'env', value: 'NAME', text: 'the environment to call' },
    { name: 'back', text: 'back to what the policies say, instead of --env' },
    { name: 'reason', value: 'TEXT', text: 'why, for the audit' },
    { name: 'ttl', value: 'TIME', text: 'goes back by itself after this time, such as 1h (default: never)' },
    { name: 'dry-run', text: 'say what would happen, and change nothing' },
    { name: 'by', value: 'NAME', text: 'who, for the audit (default: the user of this process, at this machine)' },
    { ...adminOption, text: `${adminOption.text} (the default)` },
  ],
  examples: [
    'sallyport egress switch payments --env test --reason "vendor migration" --ttl 1h',
    'sallyport egress switch payments --back --reason "it is over"',
  ],
  async run(args, terminal) {
    const { service, body } = askedFor(args)
    const admin = adminOf(args)
    try {
      const { revision } = await egressInForce(admin)
      const answer = await terminal.progress(
        'Switching',
        askAdmin(admin, `/egress/${encodeURIComponent(service)}/switch`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'if-match': `"${revision}"` },
          body: JSON.stringify(body),
        }),
      )
      return say(service, answer.body, terminal)
    } catch (error) {
      terminal.err(error instanceof Error ? error.message : String(error))
      return exit.findings
    }
  },
}

function askedFor({ positionals, values, flags }: Arguments) {
  const [service] = positionals
  if (service === undefined || positionals.length > 1) throw new UsageError('say which service')
  const { env: environment, reason, ttl, by = whoAmI() } = values
  const back = flags.has('back') ? true : undefined
  if ((environment === undefined) === (back === undefined)) throw new UsageError('say where to: --env NAME, or --back')
  if (reason === undefined) throw new UsageError('say why: --reason TEXT')
  return { service, body: { environment, back, reason, ttl, by, dryRun: flags.has('dry-run') } }
}

function say(service: string, body: unknown, terminal: Terminal): number {
  const done = switched.safeParse(body)
  if (terminal.json) terminal.out(JSON.stringify(body))
  if (!done.success) {
    const why = refusal.safeParse(body)
    if (!terminal.json) terminal.err(why.success ? `Refused: ${why.data.detail} (${why.data.code})` : 'The gateway answered something else.')
    return exit.findings
  }
  const { before, after, revision, inFlight, replicas, waiting, endsAt, dryRun } = done.data
  const way = `${service}: ${before} → ${after}${endsAt === null ? '' : `, until ${endsAt}`}`
  if (!terminal.json) {
    if (dryRun) terminal.out(`Would switch ${way}. ${inFlight} requests are in flight.`)
    else if (waiting.length === 0) terminal.out(`Switched ${way}. Revision ${revision}, on ${replicas} ${replicas === 1 ? 'gateway' : 'gateways'}.`)
    else terminal.err(`Not switched everywhere yet: ${way}. Revision ${revision}, on ${replicas} gateways; no word from ${waiting.join(', ')}.`)
  }
  return waiting.length === 0 ? exit.ok : exit.findings
}
