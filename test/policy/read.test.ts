import { describe, expect, it } from 'vitest'
import { plainOf } from '../../src/core/policy/read/node.ts'
import { readText, sizeLimit } from '../../src/core/policy/read.ts'
import { openReport } from '../../src/core/policy/report.ts'
import { almostLinear, growthByFour } from '../support/growth.ts'

function read(text: string, { file = 'a.yaml', variables = {} }: { readonly file?: string; readonly variables?: Readonly<Record<string, string>> } = {}) {
  const report = openReport()
  const { root } = readText({ file, kind: 'file', text, variable: (name) => variables[name], objects: true }, report)
  const found = report.diagnostics().map(({ code, line, column }) => `${code} ${line}:${column}`)
  return { value: root === undefined ? undefined : JSON.parse(JSON.stringify(plainOf(root))), found, hints: report.diagnostics().map(({ hint }) => hint) }
}

describe('what is read', () => {
  it('is YAML 1.2 core: NO stays text, numbers and booleans are typed', () => {
    expect(read('country: NO\non: yes\nn: 12\nb: true\nx: ~\nq: "1.10"').value).toEqual({ country: 'NO', on: 'yes', n: 12, b: true, x: null, q: '1.10' })
  })

  it('is JSON in .json files, with tabs and escapes', () => {
    expect(read('{\n\t"a": "\\u00e9\\/",\n\t"b": [1, 2]\n}', { file: 'a.json' })).toMatchObject({ value: { a: 'é/', b: [1, 2] }, found: [] })
  })

  it('is nothing but JSON in .json files', () => {
    expect(read('a: 1\n', { file: 'a.json' }).found).toEqual(['json_invalid 1:1'])
  })
})

describe('what is refused, at its place', () => {
  it.each([
    ['an alias', 'a: 1\nb: *a\n', 'yaml_alias 2:4'],
    ['an unquoted host wildcard, which is an alias to YAML', 'hosts: [*.example.com]\n', 'yaml_alias 1:9'],
    ['an anchor', 'a: &x 1\n', 'yaml_anchor 1:7'],
    ['a tag', 'a: !env X\n', 'yaml_tag 1:9'],
    ['a standard tag', 'a: !!str 1\n', 'yaml_tag 1:10'],
    ['a key given twice', 'a: 1\nb: 2\na: 3\n', 'key_repeated 3:1'],
    ['a key given twice in flow style', 'a: { b: 1, b: 2 }\n', 'key_repeated 1:12'],
    ['a second document', 'a: 1\n---\nb: 2\n', 'yaml_invalid 2:1'],
    ['a tab as indentation', 'a:\n\tb: 1\n', 'yaml_invalid 2:1'],
    ['a bracket that is not closed', 'a: [1, 2\nb: 3\n', 'yaml_invalid 2:1'],
    ['a mapping as key', '? [a]\n: b\n', 'yaml_invalid 1:3'],
    ['a prototype key', 'a:\n  __proto__: 1\n', 'key_refused 2:3'],
    ['a constructor key', '{"constructor": 1}', 'key_refused 1:2'],
    ['a number that is not exact', 'a: 12345678901234567890\n', 'number_inexact 1:4'],
  ])('%s', (_, text, diagnostic) => {
    expect(read(text).found).toEqual([diagnostic])
  })

  it('is a file that is too large, unread', () => {
    expect(read(`a: ${'x'.repeat(sizeLimit)}`)).toMatchObject({ value: undefined, found: ['file_too_large 1:1'] })
    expect(read(`a: "${'é'.repeat(sizeLimit / 2)}"`).found).toEqual(['file_too_large 1:1'])
  })

  it.each(['[', '{', '- ', '? ', ': '])('is endless nesting of %j, in linear time and without a crash', { timeout: 60_000 }, async (open) => {
    const growth = await growthByFour((size) => {
      const { found } = read(open.repeat(size))
      expect(found.length).toBeGreaterThan(0)
      expect(found.length).toBeLessThan(3)
    }, 10_000)
    expect(growth).toBeLessThan(almostLinear)
  })

  it('is nesting beyond what any policy needs', () => {
    expect(read(`a: ${'['.repeat(60)}${']'.repeat(60)}`).found).toEqual(['too_deep 1:51'])
  })

  it('reads 40,000 keys of one mapping in linear time', { timeout: 60_000 }, async () => {
    const keys = (size: number) => Array.from({ length: size }, (_, i) => `k${i}: 1`).join('\n')
    expect(await growthByFour((size) => expect(read(keys(size)).found).toEqual([]), 10_000)).toBeLessThan(almostLinear)
  })
})

describe('an unquoted path variable in flow style', () => {
  it.each([
    ['match: { path: /svc/{id}, methods: [GET] }', '1:16', '"/svc/{id}", or write /svc/:id'],
    ['match: { path: /svc/{id}/items/{item} }', '1:16', '"/svc/{id}/items/{item}", or write /svc/:id/items/:item'],
    ['match: { path: /svc/{**} }', '1:16', '"/svc/{**}".'],
    ['paths: [/a, /svc/{id}]', '1:13', '"/svc/{id}", or write /svc/:id'],
  ])('in %s is recognised, and the quoting explained', (text, place, hint) => {
    const { found, hints } = read(text)
    expect(found).toEqual([`path_unquoted ${place}`])
    expect(hints[0]).toContain(hint)
  })

  it('is told for every such path of a file in one run, and leaves the rest readable', () => {
    const { found, value } = read('a: { path: /x/{id} }\nb: 1\nc: { path: /y/{id}, n: 2 }\n')
    expect(found).toEqual(['path_unquoted 1:12', 'path_unquoted 3:12'])
    expect(value).toMatchObject({ b: 1, c: { n: 2 } })
  })

  it('is no mistake in block style, in quotes, or written :id', () => {
    expect(read('a:\n  path: /x/{id}\nb: { path: "/x/{id}" }\nc: { path: /x/:id }\n').found).toEqual([])
  })
})

describe('${NAME}', () => {
  const variables = { HOST: 'db.internal', PORT: '8080', EVIL: '{ a: ${HOST} }' }

  it('is filled in inside scalars, and typed where the whole scalar is unquoted', () => {
    expect(read('a: ${HOST}:${PORT}\nb: ${PORT}\nc: "${PORT}"\n', { variables }).value).toEqual({ a: 'db.internal:8080', b: 8080, c: '8080' })
  })

  it('is never expanded again and never becomes structure', () => {
    expect(read('a: ${EVIL}\n', { variables }).value).toEqual({ a: '{ a: ${HOST} }' })
  })

  it('is literal after a second dollar sign', () => {
    expect(read('a: $${HOST}\n', { variables }).value).toEqual({ a: '${HOST}' })
  })

  it('is an error where it is not set, not a name, or not closed', () => {
    expect(read('a: 1\nb: x-${MISSING}\nc: "${no-name}"\nd: "${HOST"\n', { variables }).found).toEqual([
      'variable_missing 2:4',
      'variable_missing 3:4',
      'variable_missing 4:4',
    ])
  })
})
