import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseDuration } from '../../../core/policy/units.ts'
import { digestOf } from '../../proto/digest.ts'
import { pullDescriptors } from '../../proto/pull.ts'
import { type Arguments, type Command, exit, UsageError } from '../command.ts'

export const protoPull: Command = {
  name: 'proto pull',
  summary: 'Pull a descriptor set from a server that speaks gRPC reflection, and pin it in a file.',
  usage: 'HOST:PORT',
  options: [
    { name: 'out', value: 'FILE', text: 'where to write it (default: descriptors.binpb)' },
    { name: 'tls', text: 'the server speaks TLS' },
    { name: 'ca', value: 'FILE', text: "who signs the server's certificate, PEM (default: the system's roots)" },
    { name: 'server-name', value: 'NAME', text: 'name in the certificate (default: that of the authority)' },
    { name: 'authority', value: 'NAME', text: 'what the server, or the sidecar in front of it, reads as :authority (default: HOST:PORT)' },
    { name: 'timeout', value: 'TIME', text: 'for the whole pull, such as 5s (default: 10s)' },
  ],
  examples: [
    'sallyport proto pull 127.0.0.1:50051 --out policies/descriptors/shop.binpb',
    'sallyport proto pull 127.0.0.1:15001 --authority orders.shop.svc.cluster.local --out policies/descriptors/shop.binpb',
  ],
  async run(args, terminal) {
    const [target] = args.positionals
    if (target === undefined) throw new UsageError('say which server to ask: HOST:PORT')
    const options = optionsOf(args)
    const file = args.values['out'] ?? 'descriptors.binpb'
    try {
      const bytes = await terminal.progress(`Asking ${target}`, pullDescriptors(target, options))
      await mkdir(dirname(resolve(file)), { recursive: true })
      await writeFile(file, bytes)
      const sha256 = digestOf(bytes)
      terminal.out(terminal.json ? JSON.stringify({ file, bytes: bytes.length, sha256 }) : `${file}: ${bytes.length} bytes, sha256 ${sha256}`)
      return exit.ok
    } catch (error) {
      terminal.err(`${target}: ${error instanceof Error ? error.message : String(error)}`)
      return exit.findings
    }
  },
}

function optionsOf({ flags, values }: Arguments): Parameters<typeof pullDescriptors>[1] {
  const tls = flags.has('tls')
  const alone = ['ca', 'server-name'].find((name) => values[name] !== undefined)
  if (!tls && alone !== undefined) throw new UsageError(`--${alone} is about TLS: add --tls`)
  const timeoutMs = parseDuration(values['timeout'] ?? '10s')
  if (timeoutMs === undefined || timeoutMs < 1) throw new UsageError(`--timeout is ${JSON.stringify(values['timeout'])}: a duration such as 5s or 500ms`)
  const ca = values['ca'] === undefined ? undefined : resolve(values['ca'])
  return { tls, ca, serverName: values['server-name'], authority: values['authority'], timeoutMs }
}
