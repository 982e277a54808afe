import { rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { readEndpoints } from '../../../src/core/discovery/file.ts'
import { follow } from '../../support/followed.ts'
import { tempFolder } from '../../support/temp-folder.ts'

async function setUp(text: string) {
  const { path: folder } = await tempFolder()
  const path = join(folder, 'orders.yaml')
  const replace = async (next: string) => {
    await writeFile(`${path}.next`, next)
    await rename(`${path}.next`, path)
  }
  await replace(text)
  return { folder, path, replace, ...follow(onTestFinished, { kind: 'file', path }) }
}

test('a list is read again when it is replaced, written in place, or comes back', { timeout: 30_000 }, async () => {
  const { path, replace, until, problem, addresses } = await setUp('- 10.0.0.1:8080\n- 10.0.0.2:8080\n')
  await until('10.0.0.1:8080', '10.0.0.2:8080')
  await replace('["10.0.0.1:8080", "10.0.0.3:8080"]')
  await until('10.0.0.1:8080', '10.0.0.3:8080')
  await writeFile(path, '- 10.0.0.4:8080\n- 10.0.0.5:8080\n')
  await until('10.0.0.4:8080', '10.0.0.5:8080')
  await rm(path)
  await problem(/ENOENT/)
  await until('10.0.0.4:8080', '10.0.0.5:8080')
  await replace('- 10.0.0.4:8080\n- 10.0.0.6:8080\n')
  await until('10.0.0.4:8080', '10.0.0.6:8080')
  expect(addresses().length).toBe(2)
})

test('a half-written, empty or wrong file takes nothing away', { timeout: 60_000 }, async () => {
  const { replace, until, problem, addresses } = await setUp('- 10.0.0.1:8080\n- 10.0.0.2:8080\n')
  await until('10.0.0.1:8080', '10.0.0.2:8080')
  for (const [text, said] of [
    ['', /no list/],
    ['[]', /no endpoint/],
    ['["10.0.0.1:8080", "10.0', /no YAML/],
    ['- address: 10.0.0.1:8080\n  wieght: 3\n', /no list/],
    ['- 10.0.0.1\n', /no port/],
    ['- address: [1, 2]\n', /no list/],
    ['a: &a [*a]\n', /./],
    [`- 10.0.0.1:8080 # ${'x'.repeat(5 * 1024 * 1024)}\n`, /longer/],
  ] as const) {
    await replace(text)
    await problem(said)
    expect(addresses()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080'])
  }
  await replace('- 10.0.0.7:8080\n')
  await until('10.0.0.7:8080')
})

test('a link that is turned to another file is followed, as in a mounted ConfigMap', { timeout: 30_000 }, async () => {
  const { path: folder } = await tempFolder()
  await writeFile(join(folder, 'one'), '- 10.0.0.1:8080\n')
  await writeFile(join(folder, 'two'), '- 10.0.0.2:8080\n')
  const path = join(folder, 'orders.yaml')
  await symlink(join(folder, 'one'), path)
  const { until, source } = follow(onTestFinished, { kind: 'file', path })
  await until('10.0.0.1:8080')
  await symlink(join(folder, 'two'), `${path}.next`)
  await rename(`${path}.next`, path)
  await until('10.0.0.2:8080')
  expect(source.status().problem).toBeUndefined()
})

test('entries say weight, zone and labels', () => {
  const text = '- { address: "10.0.0.1:80", weight: 3, zone: a, labels: { version: v2 } }\n- unix:/run/x.sock\n- "[::1]:80"\n'
  expect(readEndpoints(text)).toEqual([
    { address: { kind: 'tcp', host: '10.0.0.1', port: 80 }, weight: 3, zone: 'a', labels: { version: 'v2' } },
    { address: { kind: 'unix', path: '/run/x.sock' }, weight: 1, zone: undefined, labels: {} },
    { address: { kind: 'tcp', host: '::1', port: 80 }, weight: 1, zone: undefined, labels: {} },
  ])
})

function outcomeOf(text: string): string {
  try {
    readEndpoints(text)
    return 'read'
  } catch (error) {
    return error instanceof Error ? error.message : 'no error'
  }
}

test('an alias is refused by name', () => {
  expect(outcomeOf('- &one 10.0.0.1:80\n- *one\n')).toBe('it is no list of endpoints: the alias *one is not resolved here, write the endpoint itself')
  expect(outcomeOf('*!')).toMatch(/^it is no list of endpoints: the alias /)
})

test('any text is read or refused with a sentence', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const said = outcomeOf(text)
      expect(said).toMatch(/^(?:read|it is no YAML|it is no list|".*" (?:is not an address|has no port))/s)
    }),
  )
})
