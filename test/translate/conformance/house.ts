import type { DescMessage, JsonValue } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, it } from 'vitest'
import { readDescriptors, rpcsOf } from '../../../src/core/protobuf.ts'
import { type Gateway, openGateway } from '../../support/gateway.ts'
import { type Keep, untilTheEnd } from '../../support/keep.ts'
import { descriptorsFrom } from '../../support/protos.ts'
import { house } from '../../support/shop.ts'
import { askers, type Heard } from './ask.ts'
import { openRecorder, type Reached, type Recorder, type Reply, wireOf } from './recorder.ts'
import { openWireService } from './wire-service.ts'

type Version = keyof typeof askers

/** One request to the gateway, and all that must follow from it. */
export interface Case {
  /** A sentence about behaviour. */
  readonly name: string
  /** Where it is written: the document and its section, or the row of a comparison of translators. */
  readonly source: string
  readonly send: {
    readonly method?: string
    /** Path and query, exactly as on the wire. */
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    /** Text, bytes, or made of the types of the house. */
    readonly body?: string | Uint8Array | ((house: House) => Uint8Array)
  }
  /** How the service answers; by default with one empty message and OK. */
  readonly reply?: Reply
  /** What reaches the service, in the order of ProtoJSON members given. Absent: nothing may reach it. */
  readonly reaches?: {
    /** `Method`, or `package.Service/Method` where the house has more than one service. */
    readonly rpc: string
    /** The one message. */
    readonly message?: JsonValue
    /** All messages, where it is a stream. */
    readonly messages?: readonly JsonValue[]
    /** Values of the metadata that must be there; undefined for what must not. */
    readonly metadata?: Readonly<Record<string, readonly (string | Buffer)[] | undefined>>
    /** Anything else about it. */
    readonly also?: (reached: Reached) => void
    /** The call ends before its time, so it is open how much of it, if anything, has come through. */
    readonly maybe?: true
  }
  readonly answer: {
    readonly status: number
    /** Exact value, pattern, or undefined for a field that must not be there. */
    readonly headers?: Readonly<Record<string, string | RegExp | undefined>>
    /** The body, parsed; compared member by member and in full. */
    readonly json?: JsonValue
    /** The body as text. */
    readonly text?: string | RegExp
    /** The body as bytes, made of the types of the house. */
    readonly bytes?: (house: House) => Uint8Array
    /** As `headers`, of the fields after the body. */
    readonly trailers?: Readonly<Record<string, string | RegExp | undefined>>
    /** It breaks off after that body; otherwise it must be whole. */
    readonly cut?: true
    /** Anything else about it. */
    readonly also?: (answer: Heard, house: House) => void
  }
  /** HTTP versions it is sent over; both by default. */
  readonly over?: readonly Version[]
}

/** A gateway in front of a recording service. */
export interface House {
  readonly gateway: Gateway
  readonly recorder: Recorder
  /** Bytes of a message of the house's types, named in full. */
  wire(type: string, json: JsonValue): Buffer
  type(name: string): DescMessage
}

export interface HouseOptions {
  /** .proto texts by file name. */
  readonly protos: Readonly<Record<string, string>>
  /** YAML of more options for every route, as the lines would stand below it (`translate: { emitDefaults: true }`). */
  readonly route?: string
  /** YAML of the rules of access; without them anybody may call. */
  readonly rules?: string
  /** YAML of more sections. */
  readonly more?: string
  /** What is behind the gateway: a service as grpc-js serves it, which is the default, or an HTTP/2 server of bare frames. */
  readonly service?: 'grpc-js' | 'wire'
}

/**
 * Opens a real gateway and a recording gRPC service on sockets; every service of the protos is a route that anybody may call.
 * What the code knows of the protos is the descriptor set in the policies folder.
 */
export async function openHouse(
  keep: Keep,
  { protos, route = '', rules = '[{ id: anybody, allow: { anonymous: true } }]', more = '', service = 'grpc-js' }: HouseOptions,
): Promise<House> {
  const set = await descriptorsFrom(protos)
  const book = readDescriptors(set)
  if ('problem' in book) throw new Error(book.problem)
  const services = book.services.filter((name) => !name.startsWith('google.'))
  for (const name of services) for (const { rpc, message } of rpcsOf(book, name)?.problems ?? []) throw new Error(`${rpc}: ${message}`)
  const recorder = service === 'wire' ? await openWireService(keep, book) : await openRecorder(keep, book, services)
  const routes = services.map(
    (name) => `  ${name.replaceAll('.', '-').toLowerCase()}:
    match: { grpc: ${name} }
    access: { rules: ${rules} }
    to: recorder
${route.replaceAll(/^(?=.)/gm, '    ')}
`,
  )
  const policies = `${house}clusters:
  recorder: { sidecar: none, address: "127.0.0.1:${recorder.port}", protocol: grpc, descriptors: set.binpb }
routes:
${routes.join('')}${more}`
  const gateway = await openGateway(keep, { 'all.yaml': policies, 'set.binpb': set })
  const type = (name: string): DescMessage => {
    const found = book.registry.getMessage(name)
    if (found === undefined) throw new Error(`no message ${name}`)
    return found
  }
  return { gateway, recorder, type, wire: (name, json) => wireOf(type(name), json, book.registry) }
}

/** Runs a table of cases as one test each, over a house that is opened once for the table. */
export function conform(title: string, options: HouseOptions, cases: readonly Case[]): void {
  describe(title, () => {
    const keep = untilTheEnd()
    let opened: House
    beforeAll(async () => {
      opened = await openHouse(keep, options)
    })
    for (const [index, one] of cases.entries()) {
      const more = cases.findIndex(({ name }) => name === one.name) === index ? '' : ` (${index + 1})`
      it(`${one.name}${more} [${one.source}]`, async () => {
        for (const version of one.over ?? (['HTTP/1.1', 'h2c'] as const)) await check(opened, one, version)
      })
    }
  })
}

let marks = 0

async function check(opened: House, { send, reply = {}, reaches, answer }: Case, version: Version): Promise<void> {
  const { gateway, recorder } = opened
  recorder.answerWith(reply)
  const body = typeof send.body === 'function' ? send.body(opened) : typeof send.body === 'string' ? Buffer.from(send.body) : send.body
  const method = send.method ?? (body === undefined ? 'GET' : 'POST')
  // What a case before this one left behind may arrive at the service late; the mark tells whose call it is.
  const mark = `${++marks}`
  const headers = { 'x-case': mark, 'grpc-metadata-x-case': mark, ...send.headers }
  const request = { method, path: send.path, headers, ...(body === undefined ? {} : { body }) }
  const got = await askers[version](gateway.port('public'), request)
  const text = got.body.toString()
  const shown = `${version} ${method} ${send.path} answered ${got.status} ${text}`
  expect(got.status, shown).toBe(answer.status)
  expect(got.cut, `${shown}, broken off`).toBe(answer.cut ?? false)
  const reached = recorder.reached.filter(({ metadata }) => (metadata['x-case']?.[0] ?? mark) === mark)
  if (reaches === undefined) expect(reached, shown).toEqual([])
  else if (reaches.maybe === undefined || reached.length > 0) checkReached(reached, reaches, shown)
  checkFields(got.headers, answer.headers ?? {}, `${shown}, header`)
  checkFields(got.trailers, answer.trailers ?? {}, `${shown}, trailer`)
  if (answer.json !== undefined) expect(JSON.parse(text), shown).toEqual(answer.json)
  if (typeof answer.text === 'string') expect(text, shown).toBe(answer.text)
  else if (answer.text !== undefined) expect(text, shown).toMatch(answer.text)
  if (answer.bytes !== undefined) expect(got.body.toString('hex'), shown).toBe(Buffer.from(answer.bytes(opened)).toString('hex'))
  answer.also?.(got, opened)
}

function checkFields(fields: Heard['headers'], wanted: NonNullable<Case['answer']['headers']>, shown: string): void {
  for (const [name, value] of Object.entries(wanted)) {
    if (value instanceof RegExp) expect(fields[name], `${shown} ${name}`).toMatch(value)
    else expect(fields[name], `${shown} ${name}`).toBe(value)
  }
}

function checkReached(reached: readonly Reached[], wanted: NonNullable<Case['reaches']>, shown: string): void {
  expect(
    reached.map(({ rpc }) => (wanted.rpc.includes('/') ? rpc : rpc.slice(rpc.indexOf('/') + 1))),
    shown,
  ).toEqual([wanted.rpc])
  const messages = wanted.messages ?? (wanted.message === undefined ? undefined : [wanted.message])
  if (messages !== undefined) expect(reached[0]?.messages, shown).toEqual(messages)
  for (const [name, values] of Object.entries(wanted.metadata ?? {})) expect(reached[0]?.metadata[name], `${shown}, metadata ${name}`).toEqual(values)
  if (reached[0] !== undefined) wanted.also?.(reached[0])
}
