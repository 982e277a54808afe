import { writeFile } from 'node:fs/promises'
import { buildDescriptors } from '../../proto/build.ts'
import { digestOf } from '../../proto/digest.ts'
import { type Command, exit, UsageError } from '../command.ts'

export const protoBuild: Command = {
  name: 'proto build',
  summary: 'Compile a folder of .proto files to a descriptor set.',
  usage: 'FOLDER',
  options: [
    { name: 'out', value: 'FILE', text: 'where to write it (default: descriptors.binpb)' },
    { name: 'comments', text: 'keep the comments of the files, for OpenAPI documents' },
  ],
  examples: ['sallyport proto build protos --out policies/descriptors/shop.binpb'],
  async run(args, terminal) {
    const [folder] = args.positionals
    if (folder === undefined) throw new UsageError('say which folder holds the .proto files')
    const file = args.values['out'] ?? 'descriptors.binpb'
    try {
      const bytes = await terminal.progress(`Compiling ${folder}`, buildDescriptors(folder, { comments: args.flags.has('comments') }))
      await writeFile(file, bytes)
      const sha256 = digestOf(bytes)
      terminal.out(terminal.json ? JSON.stringify({ file, bytes: bytes.length, sha256 }) : `${file}: ${bytes.length} bytes, sha256 ${sha256}`)
      return exit.ok
    } catch (error) {
      terminal.err(error instanceof Error ? error.message : String(error))
      return exit.findings
    }
  },
}
