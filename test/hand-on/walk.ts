import { type CryptoKey, exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import { buildIngress } from '../../src/core/ingress.ts'
import type { GrpcCall, HttpCall } from '../../src/core/model/call.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { buildMessageJson } from '../../src/core/protobuf.ts'
import { buildSnapshot, type Snapshot } from '../../src/core/snapshot.ts'
import { type ArrivalOptions, arrival, type HeaderInput } from '../support/arrival.ts'
import { fakeClock } from '../support/clock.ts'
import { issuerDouble } from '../support/issuer.ts'
import { clean, loadBeside } from '../support/load.ts'
import { fakeChannels, fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'
import { textOf } from '../support/sockets.ts'

export const web = `
issuers:
  main: { issuer: https://idp.example.com, jwks: https://idp.example.com/jwks, audiences: [https://api.example.com] }
  other: { issuer: https://other.example.com, jwks: https://other.example.com/jwks, audiences: [https://api.example.com] }
clusters:
  web: { address: 127.0.0.1:8001 }
  shop: { address: 127.0.0.1:8002 }
  orders: { protocol: grpc, address: 127.0.0.1:8003, descriptors: shop.binpb }
`

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** A whole snapshot over doubles: two issuers, upstreams that keep what they are told, and secrets that can be changed. */
export async function openWalk(sections: string) {
  const clock = fakeClock()
  const issuers = { main: await issuerDouble(clock.now), other: await issuerDouble(clock.now, 'https://other.example.com', 'other') }
  const fetch = fakeFetch()
  for (const issuer of Object.values(issuers)) fetch.on(issuer.jwksUrl, () => ({ text: issuer.jwks(), headers: { 'content-type': 'application/json' } }))
  const calls: (HttpCall | GrpcCall)[] = []
  const answers: { next: (call: HttpCall) => [string, string][] } = { next: () => [] }
  const channels = fakeChannels({
    http: async (call) => {
      calls.push(call)
      return { kind: 'http', status: 200, headers: new FieldList(answers.next(call)), body: new TextEncoder().encode('fine'), trailers: undefined }
    },
    grpc: async (call) => {
      calls.push(call)
      const status = { code: 0, message: '', details: undefined, trailers: new FieldList() }
      return { kind: 'grpc', metadata: new FieldList(), messages: nothing(), status: () => status }
    },
  })
  const secrets = fakeSecrets()
  const ports = fakePorts({ clock, fetch, channels, secrets })
  let snapshot: Snapshot | undefined
  const load = async (text: string) => {
    const found = await loadBeside(merged(text))
    const loaded = clean({ ...found, diagnostics: found.diagnostics.filter(({ code }) => code !== 'name_unused') })
    const before = snapshot
    snapshot = buildSnapshot(loaded, ports, { buildIngress, buildMessageJson })
    await before?.close()
    return snapshot
  }
  await load(sections)
  const ask = async (method: string, target: string, headers: HeaderInput = {}, options: ArrivalOptions = {}): Promise<Answered> => {
    if (snapshot === undefined) throw new Error('nothing is loaded')
    return answered(await snapshot.ingress(arrival(method, target, headers, { receivedAt: clock.ticks(), ...options })))
  }
  return { clock, issuers, fetch, secrets, ports, calls, answers, load, ask, last: () => fieldsOf(calls.at(-1)), journal: ports.journal.records }
}

/** What a text says behind ISSUERS is one more issuer. */
function merged(text: string): string {
  const line = /^ISSUERS(.*)$/m.exec(text)?.[1]
  return (line === undefined ? web : web.replace('\nclusters:', `\n${line}\nclusters:`)) + text.replace(/^ISSUERS.*\n/m, '')
}

async function* nothing(): AsyncIterable<Uint8Array> {}

async function answered({ status, headers, body }: Outbound): Promise<Answered> {
  return { status, headers: joined(headers), text: await textOf(body) }
}

function joined(fields: { entries(): readonly (readonly [string, string])[] }): Readonly<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const [name, value] of fields.entries()) all[name] = name in all ? `${all[name]} | ${value}` : value
  return all
}

function fieldsOf(call: HttpCall | GrpcCall | undefined): Readonly<Record<string, string>> {
  if (call === undefined) throw new Error('nothing reached the upstream')
  return joined(call.kind === 'http' ? call.headers : call.metadata)
}

/** A private key as JWK text and as PEM. */
export async function privateKey(alg = 'ES256'): Promise<{ readonly jwk: string; readonly pem: string; readonly key: CryptoKey }> {
  const { privateKey: key } = await generateKeyPair(alg, { extractable: true })
  return { jwk: JSON.stringify(await exportJWK(key)), pem: await exportPKCS8(key), key }
}
