import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { bundleForWorker } from '../../worker-bundle.ts'
import { type Command, exit, policyOptions } from '../command.ts'
import { diagnosticText } from '../diagnostic-text.ts'
import { loadAt, placeOf } from '../load.ts'

const usual = '.wrangler/sallyport/policy.json'

export const workerBundle: Command = {
  name: 'worker bundle',
  summary: 'Check the policies and write the part of them that a Cloudflare Worker at the edge is built with.',
  usage: '',
  options: [...policyOptions, { name: 'out', value: 'FILE', text: `where to write it (default: ${usual})` }],
  examples: ['sallyport worker bundle --env prod', 'sallyport worker bundle --env test --out build/policy.json'],
  async run(args, terminal) {
    const place = placeOf(args)
    const { json, diagnostics } = bundleForWorker(await loadAt(place, terminal))
    const file = resolve(args.values['out'] ?? usual)
    if (json !== undefined) {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, json)
    }
    if (terminal.json) terminal.out(JSON.stringify({ ok: json !== undefined, environment: place.environment, file, bytes: json?.length, diagnostics }, null, 2))
    else {
      for (const one of diagnostics) terminal.out(diagnosticText(one, terminal, place.folder))
      if (json !== undefined) terminal.out(`${terminal.style('green', 'ok')}: wrote ${file} for ${place.environment}, ${json.length} bytes`)
    }
    return json === undefined ? exit.findings : exit.ok
  },
}
