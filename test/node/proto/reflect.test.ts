import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, base64Encode } from '@bufbuild/protobuf/wire'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { ServerCredentials, status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { readDescriptors, rpcsOf } from '../../../src/core/protobuf.ts'
import { pullDescriptors } from '../../../src/node/proto/pull.ts'
import { reflectionPaths } from '../../../src/node/proto/reflection-messages.ts'
import { makeCertificates } from '../../support/certificates.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { shopDescriptors } from '../../support/load.ts'
import { openReflecting, openScripted, type Script, silence } from '../../support/reflecting.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const keep = untilTheEnd()

const file = (init: NonNullable<Parameters<typeof create<typeof FileDescriptorProtoSchema>>[1]>) =>
  base64Encode(toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, { syntax: 'proto3', ...init })))
const files = (...protos: readonly string[]) => ({ fileDescriptorResponse: { fileDescriptorProto: [...protos] } })
const services = (...names: readonly string[]) => ({ listServicesResponse: { service: names.map((name) => ({ name })) } })
const refusal = (errorCode: number, errorMessage: string) => ({ errorResponse: { errorCode, errorMessage } })
const service = (name: string, dependency: readonly string[] = []) =>
  file({
    name: `${name}.proto`,
    package: 'a',
    dependency: [...dependency],
    messageType: [{ name: `${name}In` }],
    service: [{ name, method: [{ name: 'Do', inputType: `.a.${name}In`, outputType: `.a.${name}In` }] }],
  })

const failure = async (script: Script, timeoutMs = 5000): Promise<unknown> => {
  const port = await openScripted(keep, script)
  return await pullDescriptors(`127.0.0.1:${port}`, { tls: false, timeoutMs }).catch((error: unknown) => error)
}

/** Answers of a server that has one file, but for what `change` says. */
const oneFile =
  (change: Partial<Record<'list' | 'symbol' | 'name', ReturnType<Script>>>): Script =>
  (question) => {
    if ('listServices' in question) return change.list ?? services('a.S')
    if ('fileContainingSymbol' in question) return change.symbol ?? files(service('S'))
    return change.name ?? refusal(status.NOT_FOUND, `no ${question['fileByFilename']}`)
  }

describe('a pull from a server that errs, lies or says nothing ends with a reason', () => {
  const cases: readonly (readonly [what: string, script: Script, kind: string, says: string])[] = [
    ['no services', oneFile({ list: services() }), 'broken', 'the server lists no services'],
    ['nothing but reflection', oneFile({ list: services('grpc.reflection.v1.ServerReflection') }), 'broken', 'the server lists no services'],
    ['a refusal to list', oneFile({ list: refusal(7, 'not for you') }), 'broken', 'the server does not list its services: PERMISSION_DENIED: not for you'],
    ['a service it does not have', oneFile({ symbol: refusal(5, 'no such symbol') }), 'broken', 'a.S: NOT_FOUND: no such symbol'],
    ['an answer to another question', oneFile({ symbol: services('a.S') }), 'broken', 'a.S: the server did not answer with a file'],
    ['a missing dependency', oneFile({ symbol: files(service('S', ['b.proto'])) }), 'broken', 'b.proto (imported by S.proto): NOT_FOUND: no b.proto'],
    [
      'another file than was asked for',
      oneFile({ symbol: files(service('S', ['b.proto'])), name: files(service('T')) }),
      'broken',
      'the server did not hand over b.proto, which S.proto imports',
    ],
    [
      'two files of one name',
      oneFile({ symbol: files(service('S'), file({ name: 'S.proto', package: 'other' })) }),
      'broken',
      'the server hands over two different files named S.proto',
    ],
    [
      'a file whose types are not there',
      oneFile({
        symbol: files(file({ name: 'S.proto', package: 'a', service: [{ name: 'S', method: [{ name: 'Do', inputType: '.a.In', outputType: '.a.In' }] }] })),
      }),
      'broken',
      'what the server handed over cannot be used: S.proto: RPC a.S/Do: its request type "a.In" is not a message of the set',
    ],
    [
      'a file of garbage',
      oneFile({ symbol: files(base64Encode(Uint8Array.of(0x0a, 0x7f, 1))) }),
      'broken',
      'a.S: what the server answered is no file descriptor',
    ],
    ['an answer of garbage', oneFile({ list: Uint8Array.of(0x32, 0x7f, 1) }), 'broken', 'the server answered what is no reflection message'],
    ['an error in the middle', oneFile({ symbol: { code: status.INTERNAL, details: 'it broke' } }), 'broken', 'reflection failed: INTERNAL: it broke'],
    [
      'too many services',
      oneFile({ list: services(...Array.from({ length: 2001 }, (_, i) => `a.S${i}`)) }),
      'broken',
      'the server lists 2001 services, more than 2000',
    ],
    ['an oversize answer', oneFile({ symbol: files(base64Encode(new Uint8Array(5 * 1024 * 1024))) }), 'broken', 'reflection failed: 127.0.0.1:'],
  ]

  it.each(cases)('%s', async (_, script, kind, says) => {
    const error = await failure(script)
    expect(error).toMatchObject({ name: 'ReflectionError', kind })
    expect((error as Error).message).toContain(says)
  })

  it('more bytes than any description needs, in answers of a good size', async () => {
    const javaPackage = 'x'.repeat(3 * 1024 * 1024)
    // Written by hand, for JSON has to spell the bytes in base64: field 1 of FileDescriptorResponse in field 4 of ServerReflectionResponse.
    const large = (name: string) => {
      const written = toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, { name, options: { javaPackage } }))
      return new BinaryWriter().tag(4, 2).fork().tag(1, 2).bytes(written).join().finish()
    }
    const error = await failure((question) => {
      if ('listServices' in question) return services('a.S')
      if ('fileContainingSymbol' in question)
        return files(
          service(
            'S',
            Array.from({ length: 9 }, (_, i) => `${i}.proto`),
          ),
        )
      return large(question['fileByFilename'] ?? '')
    }, 80_000)
    expect(error).toMatchObject({ kind: 'broken', message: 'the server hands over more than 16777216 bytes' })
  }, 90_000)

  it('silence after the question, within the time that was given', async () => {
    const started = performance.now()
    expect(await failure(() => silence, 300)).toMatchObject({
      kind: 'silent',
      message: expect.stringMatching(/^the server did not answer within 300 ms: check that/),
    })
    expect(performance.now() - started).toBeLessThan(3000)
  })

  it('an address where something listens and never speaks', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => void sockets.push(socket))
    await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
    keep(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const error = await pullDescriptors(`127.0.0.1:${port}`, { tls: false, timeoutMs: 400 }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ name: 'ReflectionError' })
    expect((error as Error).message).toMatch(/add --tls if it speaks TLS$/)
  })

  it.each(['nowhere', 'a b:1', ''])('a target that is no address: %j', async (target) => {
    await expect(pullDescriptors(target, { tls: false })).rejects.toThrow(/^it /)
  })
})

describe('a pull takes', () => {
  it('built-in files for those that a server leaves out', async () => {
    const port = await openScripted(keep, oneFile({ symbol: files(service('S', ['google/protobuf/timestamp.proto', 'google/api/annotations.proto'])) }))
    const bytes = await pullDescriptors(`127.0.0.1:${port}`, { tls: false })
    expect(fromBinary(FileDescriptorSetSchema, bytes).file.map(({ name }) => name)).toEqual(['S.proto'])
    const book = readDescriptors(bytes)
    expect('services' in book && book.services).toEqual(['a.S'])
  })

  it('v1 before v1alpha where a server has both, and the same from either', async () => {
    const [both, old] = [await openReflecting(keep, shopDescriptors), await openReflecting(keep, shopDescriptors, { paths: [reflectionPaths[1]] })]
    const pull = (port: number) => pullDescriptors(`127.0.0.1:${port}`, { tls: false })
    expect(Buffer.from(await pull(both)).equals(await pull(old))).toBe(true)
  })

  it('TLS with an authority of its own: the certificate is checked against the name, and refused where it is for another', async () => {
    const { ca, server } = await makeCertificates()
    const credentials = ServerCredentials.createSsl(null, [{ private_key: Buffer.from(server.key), cert_chain: Buffer.from(server.certificate) }])
    const port = await openReflecting(keep, shopDescriptors, { credentials })
    const folder = await tempFolder({ 'ca.pem': ca })
    const pull = (more: object) => pullDescriptors(`127.0.0.1:${port}`, { tls: true, timeoutMs: 3000, ...more })
    const book = readDescriptors(await pull({ ca: `${folder.path}/ca.pem`, authority: 'service.test' }))
    expect('services' in book && rpcsOf(book, 'shop.v1.Orders')?.problems).toEqual([])
    await expect(pull({ ca: `${folder.path}/ca.pem`, serverName: 'other.test' })).rejects.toThrow(/cannot be reached .*(?:altname|other\.test)/i)
    await expect(pull({})).rejects.toThrow(/cannot be reached .*certificate/)
  })
})

it('a buf image loads, with the fields that buf adds to every file', async () => {
  const folder = await tempFolder({
    'proto/buf.yaml': 'version: v2\n',
    'proto/a/v1/a.proto': 'syntax = "proto3";\npackage a.v1;\nservice A { rpc Get(In) returns (In); }\nmessage In {}\n',
  })
  const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf')
  const run = promisify(execFile)
  await run(process.execPath, [buf, 'build', `${folder.path}/proto`, '--output', `${folder.path}/image.binpb`])
  const image = await readFile(`${folder.path}/image.binpb`)
  // buf.alpha.image.v1.ImageFileExtension, field 8042 of every file.
  expect(fromBinary(FileDescriptorSetSchema, image).file[0]?.$unknown?.map(({ no }) => no)).toContain(8042)
  const book = readDescriptors(image)
  expect('services' in book && book.services).toEqual(['a.v1.A'])
})
