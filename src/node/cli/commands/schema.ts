import { writeFile } from 'node:fs/promises'
import { policyJsonSchema } from '../../../core/policy/json-schema.ts'
import { type Command, exit } from '../command.ts'

export const schema: Command = {
  name: 'schema',
  summary: 'Print the JSON Schema of the policy format (2020-12).',
  usage: '',
  options: [{ name: 'write', value: 'FILE', text: 'write it to FILE instead' }],
  examples: ['sallyport schema > schema/sallyport.v1.json', 'sallyport schema --write schema/sallyport.v1.json'],
  async run(args, terminal) {
    const text = JSON.stringify(policyJsonSchema(), null, 2)
    const file = args.values['write']
    if (file === undefined) terminal.out(text)
    else await writeFile(file, `${text}\n`)
    return exit.ok
  },
}
