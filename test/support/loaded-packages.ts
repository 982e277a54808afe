import { registerHooks } from 'node:module'

// For `--import`, before the program: on SIGUSR2 it writes one line to standard error, the packages that this process has loaded so far.
const loaded = new Set<string>()

registerHooks({
  load(url, context, next) {
    const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]
    if (name !== undefined) loaded.add(name)
    return next(url, context)
  },
})

process.on('SIGUSR2', () => process.stderr.write(`loaded: ${Array.from(loaded).sort().join(' ')}\n`))
