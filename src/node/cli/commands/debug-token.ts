import { userInfo } from 'node:os'
import { debugTokenSeconds, makeDebugToken } from '../../../core/debug-token.ts'
import { parseDuration } from '../../../core/policy/units.ts'
import { createSecrets } from '../../secrets.ts'
import { type Command, exit, policyOptions, UsageError } from '../command.ts'
import { loadSound, placeOf } from '../load.ts'

export const debugToken: Command = {
  name: 'debug-token',
  summary: 'Make a token with which a request learns how it was decided: send it as x-sallyport-debug.',
  usage: '',
  options: [
    ...policyOptions,
    { name: 'key', value: 'REF', text: 'the private key, env:NAME or file:/path (default: debug.key of the policies)' },
    { name: 'for', value: 'DURATION', text: 'how long it is good, at most 15m (default: 15m)' },
  ],
  examples: [
    'sallyport debug-token --env prod --key file:/run/secrets/debug.jwk',
    'curl -H "x-sallyport-debug: $(sallyport debug-token --env dev)" -i http://127.0.0.1:8080/orders',
  ],
  async run(args, terminal) {
    const place = placeOf(args)
    const seconds = (parseDuration(args.values['for'] ?? '15m') ?? Number.NaN) / 1000
    if (!(seconds >= 1 && seconds <= debugTokenSeconds)) throw new UsageError('--for is a duration from 1s to 15m')
    const reference = args.values['key'] ?? (await loadSound(place, terminal))?.policy.debug.key
    if (reference === undefined) {
      terminal.err('no key: the policies have no debug.key, and --key names none')
      return exit.findings
    }
    try {
      const key = await createSecrets(process.env).read(reference)
      const facts = { environment: place.environment, subject: userInfo().username, seconds: Math.floor(seconds), now: Date.now() }
      const token = await makeDebugToken(key, facts)
      terminal.out(terminal.json ? JSON.stringify({ token, header: 'x-sallyport-debug', seconds: facts.seconds }) : token)
      return exit.ok
    } catch (error) {
      terminal.err(`${reference}: ${error instanceof Error ? error.message : 'it cannot be read'}`)
      return exit.findings
    }
  },
}
