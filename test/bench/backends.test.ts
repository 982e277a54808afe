import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createFileRegistry, type DescMethod, fromBinary, fromJson, type Message, toBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Client, credentials } from '@grpc/grpc-js'
import { afterEach, describe, expect, test } from 'vitest'
import { ask, faultIn, untilListening } from '../../bench/harness/ask.ts'
import { suites } from '../../bench/suites.ts'
import { freePort } from '../../src/node/demo/workspace.ts'

const descriptors = fileURLToPath(new URL('../../policies/descriptors/shop.binpb', import.meta.url))
const running: ChildProcess[] = []
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.stdin?.end()
    if (child.exitCode === null) await once(child, 'exit')
  }
})

async function start(program: string, ...args: readonly string[]): Promise<number> {
  const port = await freePort()
  const file = fileURLToPath(new URL(`../../bench/programs/${program}`, import.meta.url))
  const child = spawn(process.execPath, [file, String(port), ...args], { stdio: ['pipe', 'ignore', 'inherit'] })
  running.push(child)
  const ended = once(child, 'exit').then(() => undefined)
  await untilListening(port, { pid: child.pid ?? 0, ended, complaint: () => '', close: async () => {} }, program)
  return port
}

describe('what stands behind the peers', () => {
  test('the HTTP backend gives the answer of its suite, and ends with its standard input', async () => {
    const port = await start('http-backend.ts')
    expect(faultIn(await ask(port, suites.proxy.request, undefined), suites.proxy.answer)).toBeUndefined()
  })

  test('the lean gRPC backend gives back the order it was sent, to many calls at once on one connection of grpc-js', async () => {
    const port = await start('grpc-backend.ts')
    const method = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)))
      .getService('shop.v1.Orders')
      ?.methods.find(({ name }) => name === 'CreateOrder') as DescMethod
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
    const call = (note: string): Promise<unknown> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          '/shop.v1.Orders/CreateOrder',
          (message: Message) => Buffer.from(toBinary(method.input, message)),
          (bytes) => fromBinary(method.output, bytes),
          fromJson(method.input, { order: { note }, requestId: 'r' }),
          (error, answer?: Message) =>
            error === null && answer !== undefined ? resolve(toJson(method.output, answer)) : reject(error ?? new Error('no answer')),
        )
      })
    // 500 answers of 1 KiB are more than the connection's window holds at the start.
    const notes = Array.from({ length: 500 }, (_, index) => `${index} `.padEnd(1024, 'x'))
    const answers = await Promise.all(notes.map(call))
    client.close()
    expect(answers).toEqual(notes.map((note) => ({ note, id: '100', status: 'ORDER_STATUS_OPEN', servedBy: 'bench' })))
  })

  test.each([
    ['transcode', 'grpc-backend.ts', []],
    ['shop', 'shop-backend.ts', [descriptors]],
  ] as const)('in the %s suite the grpc-js baseline gives the right answer', async (suite, backend, args) => {
    const behind = await start(backend, ...args)
    const port = await start('grpc-js-translator.ts', String(behind), descriptors)
    const { request, answer } = suites[suite]
    expect(faultIn(await ask(port, request, undefined), answer)).toBeUndefined()
    const wrong = await ask(port, { ...request, path: '/v1/nothing' }, undefined)
    expect(faultIn(wrong, answer)).toContain('status 404')
  })

  test('the proxy baseline gives the answer of the backend', async () => {
    const behind = await start('http-backend.ts')
    const port = await start('undici-proxy.ts', String(behind))
    expect(faultIn(await ask(port, suites.proxy.request, undefined), suites.proxy.answer)).toBeUndefined()
  })
})
