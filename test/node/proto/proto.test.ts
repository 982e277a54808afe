import { readFile } from 'node:fs/promises'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { expect, onTestFinished, test } from 'vitest'
import { readDescriptors, rpcsOf } from '../../../src/core/protobuf.ts'
import { addReflection } from '../../../src/node/demo/mesh/reflection.ts'
import { buildDescriptors } from '../../../src/node/proto/build.ts'
import { pullDescriptors } from '../../../src/node/proto/pull.ts'
import { reflectionPaths } from '../../../src/node/proto/reflection-messages.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const shop = 'policies/descriptors/shop.binpb'

async function reflecting(paths: readonly string[]): Promise<string> {
  const server = new Server()
  addReflection(server, await readFile(shop), paths)
  onTestFinished(() => server.forceShutdown())
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  return `127.0.0.1:${port}`
}

function rpcs(bytes: Uint8Array): unknown {
  const book = readDescriptors(bytes)
  return 'problem' in book ? book.problem : rpcsOf(book, 'shop.v1.Orders')
}

test.each(reflectionPaths)('descriptors are pulled through %s, imports included, and read as the file does', async (path) => {
  const pulled = await pullDescriptors(await reflecting([path]), { tls: false })
  expect(rpcs(pulled)).toEqual(rpcs(await readFile(shop)))
})

test('two pulls of one server give the same bytes', async () => {
  const target = await reflecting(reflectionPaths)
  const [one, two] = [await pullDescriptors(target, { tls: false }), await pullDescriptors(target, { tls: false })]
  expect(Buffer.from(one).equals(two)).toBe(true)
})

test('a server without reflection is told apart from one that is not there', async () => {
  await expect(pullDescriptors(await reflecting([]), { tls: false })).rejects.toThrow('does not offer reflection')
  const unreachable = (hostPort: string, tls: boolean) =>
    pullDescriptors(hostPort, { tls, timeoutMs: 3000 }).catch((error: unknown) => (error instanceof Error ? error.message : ''))
  expect(await unreachable('127.0.0.1:1', false)).toMatch(
    /^the server cannot be reached \(.*ECONNREFUSED.*\): check that it runs and listens at this address, and add --tls if it speaks TLS$/,
  )
  expect(await unreachable('127.0.0.1:1', true)).toMatch(/^the server cannot be reached .* leave out --tls if it speaks clear text$/)
})

test('a folder compiles without a network, google/api included', async () => {
  const folder = await tempFolder({
    'a/v1/a.proto': `
      syntax = "proto3"; package a.v1;
      import "google/api/annotations.proto";
      service A { rpc Get(In) returns (In) { option (google.api.http) = { get: "/a" }; } }
      message In {}`,
  })
  const book = readDescriptors(await buildDescriptors(folder.path))
  if ('problem' in book) throw new Error(book.problem)
  expect(rpcsOf(book, 'a.v1.A')?.rpcs[0]?.bindings[0]).toEqual({ method: 'GET', template: '/a', body: '', responseBody: '' })
})

test('what does not compile is said with the file and the line', async () => {
  const folder = await tempFolder({ 'bad.proto': 'syntax = "proto3";\nmessage A {\n  nope x = 1;\n}\n' })
  await expect(buildDescriptors(folder.path)).rejects.toThrow(/does not compile[\s\S]*bad\.proto:3/)
})

test('a folder that is not there is said so', async () => {
  await expect(buildDescriptors('/nowhere/at/all')).rejects.toThrow('no such folder')
})

test('comments of .proto files are kept on request alone', async () => {
  const folder = await tempFolder({ 'a.proto': 'syntax = "proto3";\npackage a;\n// Said of it.\nmessage A {}\n' })
  const [plain, commented] = await Promise.all([buildDescriptors(folder.path), buildDescriptors(folder.path, { comments: true })])
  expect([Buffer.from(plain).includes('Said of it.'), Buffer.from(commented).includes('Said of it.')]).toEqual([false, true])
})
