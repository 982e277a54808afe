import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { openapi } from '../../src/node/cli/commands/openapi.ts'
import { problemsOf } from '../openapi/validate.ts'
import { base } from '../support/load.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask } from './ask.ts'

const anybody = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const files = {
  'base.yaml': base,
  'shop.yaml': `sallyport: v1
clusters: { a: { address: "127.0.0.1:1" } }
routes:
  one: { match: { path: "/one/{id}", methods: [GET] }, to: a, ${anybody} }
  two: { match: { path: /two, methods: [POST] }, to: a, ${anybody} }
  next: { match: { path: /two, methods: [POST], headers: { x-version: next } }, to: a, ${anybody} }
`,
}

async function run(...words: readonly string[]) {
  const folder = await tempFolder(files)
  return { folder, ...(await ask(openapi, '--env', 'dev', '--policies', folder.path, ...words)) }
}

it('prints the document in JSON, and says what has no place in it', async () => {
  const { status, out, err } = await run('--title', 'Ours', '--api-version', '7')
  const document = JSON.parse(out)
  expect([status, err]).toEqual([0, 'left out: POST /two of route next: another route has this path and method\n'])
  expect(await problemsOf(document)).toEqual([])
  expect(document).toMatchObject({ info: { title: 'Ours', version: '7' }, paths: { '/one/{id}': {}, '/two': {} } })
})

it('writes one route in YAML to a file, as it would be published', async () => {
  const { folder } = await run()
  const file = `${folder.path}/out.yaml`
  const { status, out, err } = await run('--route', 'next', '--route', 'one', '--yaml', '--published', '--out', file)
  expect([status, out, err]).toEqual([0, '', ''])
  const text = await readFile(file, 'utf8')
  const document = parse(text)
  expect(await problemsOf(document)).toEqual([])
  expect(Object.keys(document.paths)).toEqual(['/one/{id}', '/two'])
  expect(document.servers).toEqual([{ url: '/', description: 'The host that served this document.' }])
  expect(text).not.toContain('x-sallyport')
})

it('refuses routes that are not there and two forms at once, and finds what is wrong with the policies', async () => {
  await expect(run('--route', 'tow')).rejects.toThrow('there is no route "tow", did you mean "two"?')
  await expect(run('--json', '--yaml')).rejects.toThrow('--json and --yaml: give one of them')
  const folder = await tempFolder({ ...files, 'broken.yaml': 'sallyport: v1\nroutes: { r: { match: { path: /r } } }\n' })
  const { status, err } = await ask(openapi, '--env', 'dev', '--policies', folder.path)
  expect(status).toBe(1)
  expect(err).toContain('"to" is missing.')
})

it('says of an operation that no request to it succeeds', async () => {
  const proto = `syntax = "proto2"; package e.v1; import "google/api/annotations.proto";
service S { rpc Do(M) returns (M) { option (google.api.http) = { get: "/do/{name}" }; } }
message M { optional string name = 1; required M more = 2; }`
  const route = `sallyport: v1
clusters: { e: { address: "127.0.0.1:1", protocol: grpc, descriptors: e.binpb } }
routes: { e: { match: { grpc: e.v1.S }, to: e, ${anybody} } }
`
  const folder = await tempFolder({ 'base.yaml': base, 'e.yaml': route, 'e.binpb': await descriptorsFrom({ 'e.proto': proto }) })
  const { status, err } = await ask(openapi, '--env', 'dev', '--policies', folder.path)
  expect(status).toBe(0)
  expect(err).toContain(
    'no request succeeds: GET /do/{name} of route e: `more` is required and cannot be given: it requires a message within itself, without end.',
  )
})
