import { writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { buildOpenapi, type Omission } from '../../../core/openapi.ts'
import { suggest } from '../../../core/suggest.ts'
import { type Arguments, type Command, exit, policyOptions, UsageError } from '../command.ts'
import { loadSound, placeOf } from '../load.ts'

export const openapi: Command = {
  name: 'openapi',
  summary: 'Write the OpenAPI 3.1 document of the routes: every HTTP rule and path, with types, credentials and limits.',
  usage: '',
  options: [
    ...policyOptions,
    { name: 'route', value: 'NAME', multiple: true, text: 'only this route (repeat)' },
    { name: 'out', value: 'FILE', text: 'write it to FILE instead' },
    { name: 'yaml', text: 'in YAML (default: JSON)' },
    { name: 'published', text: "as a route publishes it: without x-sallyport members, with the document's own host as server" },
    { name: 'title', value: 'TEXT', text: 'what the API is called (default: Gateway API)' },
    { name: 'api-version', value: 'TEXT', text: 'its version (default: the revision of the policies)' },
  ],
  examples: ['sallyport openapi --env prod --out openapi.json', 'sallyport openapi --env dev --route orders --yaml'],
  async run(args, terminal) {
    const yaml = args.flags.has('yaml')
    if (yaml && terminal.json) throw new UsageError('--json and --yaml: give one of them')
    const sound = await loadSound(placeOf(args), terminal)
    if (sound === undefined) return exit.findings
    const options = {
      routes: routesOf(args, sound.policy.routes),
      title: args.values['title'],
      version: args.values['api-version'],
      published: args.flags.has('published'),
    }
    const { document, omitted, impossible } = buildOpenapi(sound.policy, options)
    for (const one of omitted) terminal.err(omissionText('left out', one))
    for (const one of impossible) terminal.err(omissionText('no request succeeds', one))
    const text = yaml ? stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 }).trimEnd() : JSON.stringify(document, null, 2)
    const file = args.values['out']
    if (file === undefined) terminal.out(text)
    else await writeFile(file, `${text}\n`)
    return exit.ok
  },
}

function routesOf(args: Arguments, routes: readonly { readonly name: string }[]): ReadonlySet<string> | undefined {
  const asked = args.lists['route']
  const names = routes.map(({ name }) => name)
  const unknown = asked?.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    const close = suggest(unknown, names)
    throw new UsageError(`there is no route "${unknown}"${close === undefined ? '' : `, did you mean "${close}"?`}`)
  }
  return asked === undefined ? undefined : new Set(asked)
}

function omissionText(what: string, { route, operation, reason }: Omission): string {
  return `${what}: ${operation === undefined ? `route ${route}` : `${operation} of route ${route}`}: ${reason}`
}
