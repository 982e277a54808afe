import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { UsageError } from '../../src/node/cli/command.ts'
import { serve } from '../../src/node/cli/commands/serve.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask } from './ask.ts'

// Six environments with a class that there is not: none of them can be served.
const folder = async () => {
  const names = ['dev', 'b', 'c', 'd', 'e', 'f']
  const lines = ['sallyport: v1', 'environments:', ...names.map((name) => `  ${name}: { class: mad }`), '']
  return (await tempFolder({ 'base.yaml': lines.join('\n') })).path
}

it('a start that fails says the first reasons on standard error when the log goes to a file', async () => {
  const path = await folder()
  const log = join(path, 'serve.log')
  const { status, err } = await ask(serve, '--policies', path, '--env', 'dev', '--log-to', log)
  const lines = err.split('\n').filter((line) => line !== '' && !line.startsWith('    '))
  expect(status).toBe(1)
  expect(lines[0]).toMatch(/^Sallyport did not start: the policies in .* cannot be served$/)
  expect(lines[1]).toMatch(/^base\.yaml:3:\d+: error: "mad" is not one of the values possible here\./)
  expect(lines).toHaveLength(7)
  expect(lines.at(-1)).toMatch(/^and \d+ more: sallyport check prints them all$/)
  expect(await readFile(log, 'utf8')).toContain('base.yaml')
})

it('so it does when the log is silent', async () => {
  const { err } = await ask(serve, '--policies', await folder(), '--env', 'dev', '--log-level', 'silent')
  expect(err).toMatch(/^base\.yaml:3:\d+: error: /m)
})

it('what cannot be reached is said once, with what to do', async () => {
  const text = `sallyport: v1
environments: { dev: { class: nonprod } }
listeners: { public: { address: 127.0.0.1:0 } }
store: { redis: env:SALLYPORT_TEST_UNSET_REDIS }
`
  const { path } = await tempFolder({ 'base.yaml': text })
  const { status, err } = await ask(serve, '--policies', path, '--env', 'dev', '--log-level', 'silent')
  expect([status, err]).toEqual([1, 'Sallyport did not start: env:SALLYPORT_TEST_UNSET_REDIS is not set.\n    Set what store.redis names.\n'])
})

it('a bad flag is wrong usage, reported under the name of the flag', async () => {
  const asked = ask(serve, '--policies', await folder(), '--env', 'dev', '--log-level', 'loud')
  await expect(asked).rejects.toThrow(new UsageError('--log-level is "loud": one of debug, info, warn, error, silent'))
})
