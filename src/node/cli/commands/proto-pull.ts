import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { pullDescriptors } from '../../proto/pull.ts'
import { type Command, exit, UsageError } from '../command.ts'

export const protoPull: Command = {
  name: 'proto pull',
  summary: 'Pull a descriptor set from a server that speaks gRPC reflection, and pin it in a file.',
  usage: 'HOST:PORT',
  options: [
    { name: 'out', value: 'FILE', text: 'where to write it (default: descriptors.binpb)' },
    { name: 'tls', text: 'the server speaks TLS' },
  ],
  examples: ['sallyport proto pull 127.0.0.1:50051 --out policies/descriptors/shop.binpb'],
  async run(args, terminal) {
    const [target] = args.positionals
    if (target === undefined) throw new UsageError('say which server to ask: HOST:PORT')
    const file = args.values['out'] ?? 'descriptors.binpb'
    try {
      const bytes = await terminal.progress(`Asking ${target}`, pullDescriptors(target, { tls: args.flags.has('tls') }))
      await writeFile(file, bytes)
      const digest = createHash('sha256').update(bytes).digest('hex')
      terminal.out(terminal.json ? JSON.stringify({ file, bytes: bytes.length, sha256: digest }) : `${file}: ${bytes.length} bytes, sha256 ${digest}`)
      return exit.ok
    } catch (error) {
      terminal.err(`${target}: ${error instanceof Error ? error.message : String(error)}`)
      return exit.findings
    }
  },
}
