import { startSallyport } from '../../src/node/main.ts'
import { readSettings } from '../../src/node/settings.ts'

/*
 * A gateway over the policies folder in its first argument. It sends its port over the channel it was forked with, answers every word with its
 * memory in bytes after a collection (node --expose-gc), and ends with the process that forked it.
 */
const flags = { environment: 'dev', policies: process.argv[2] ?? '', logLevel: 'silent', lameDuck: '0s', drain: '0s' }
const running = await startSallyport(readSettings(flags, {}, false))
process.on('message', () => {
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  process.send?.({ rss, heapUsed, external })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ port: running.addresses.find(({ name }) => name === 'public')?.port })
