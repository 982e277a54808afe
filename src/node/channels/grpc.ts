import {
  Channel,
  type ChannelCredentials,
  type ChannelOptions,
  status as Code,
  connectivityState,
  credentials,
  type Metadata,
  type StatusObject,
} from '@grpc/grpc-js'
import type { GrpcCall, GrpcReply, GrpcStatus } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import type { CallOptions, Endpoint, EndpointTls } from '../../core/ports.ts'
import type { TlsMaterial } from '../tls-material.ts'
import { type DialPorts, materialOf, nameOf, reasonOf } from './dial.ts'
import { fieldsFromMetadata, isEmptyMetadata, metadataFromFields, statusFrom } from './grpc-metadata.ts'
import { messageQueue } from './grpc-queue.ts'
import { identityCheck } from './identity.ts'
import { brokenOff, brokenProtocol, InFlight, stalledFault, type Wire, watchDeadline, wrongKind } from './wire.ts'

type Calling = ReturnType<Channel['createCall']>

/** One channel of grpc-js, so one connection, under one generation of TLS material. */
interface Line {
  readonly channel: Channel
  readonly material: TlsMaterial | undefined
  readonly inFlight: InFlight
}

/**
 * gRPC over grpc-js, message bytes in and out. One channel, so one connection, per endpoint; when the certificates change, what comes goes
 * over a new one, and the old one closes when what is under way on it has ended.
 */
export function openGrpc(endpoint: Endpoint, ports: DialPorts): Wire {
  const inFlight = new InFlight()
  let line: Line | undefined
  /** Those that are not closed. */
  const lines = new Set<Line>()
  const letGo = (old: Line | undefined) =>
    old?.inFlight.close(() => {
      lines.delete(old)
      old.channel.close()
    })
  /** The line for a call, and the call counted on it in the same turn: nobody can close it in between. */
  const enter = async () => {
    const material = endpoint.tls === undefined ? undefined : await materialFor(endpoint.tls, ports)
    if (line === undefined || line.material !== material) {
      letGo(line)
      line = { channel: openChannel(endpoint, material), material, inFlight: new InFlight() }
      lines.add(line)
    }
    return { channel: line.channel, leaveLine: line.inFlight.enter() }
  }
  return {
    http: () => wrongKind(endpoint),
    get connections() {
      let open = 0
      for (const { channel } of lines) if (channel.getConnectivityState(false) === connectivityState.READY) open += 1
      return open
    },
    async grpc(call, options) {
      options.lifeline.check()
      const leave = inFlight.enter()
      let leaveLine = () => {}
      const left = () => {
        leaveLine()
        leave()
      }
      try {
        const entered = await enter()
        leaveLine = entered.leaveLine
        return await converse(entered.channel, call, options, endpoint, ports, left)
      } catch (error) {
        left()
        throw error
      }
    },
    close: () => inFlight.close(() => letGo(line)),
  }
}

async function materialFor(tls: EndpointTls, ports: DialPorts): Promise<TlsMaterial> {
  try {
    return await materialOf(tls, ports)
  } catch (error) {
    throw new Fault('upstream_unavailable', 'the upstream is not reachable', { internal: `TLS material: ${reasonOf(error)}`, cause: error })
  }
}

function openChannel(endpoint: Endpoint, material: TlsMaterial | undefined): Channel {
  if (endpoint.vet !== undefined) {
    throw new Fault('address_denied', 'this address is not allowed', { internal: `${nameOf(endpoint)}: guarded endpoints are not dialled over gRPC` })
  }
  return new Channel(targetOf(endpoint), credentialsOf(endpoint, material), optionsOf(endpoint))
}

function targetOf({ address }: Endpoint): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  const { host, port } = address
  if (/^[\d.]+$/.test(host)) return `ipv4:${host}:${port}`
  return host.includes(':') ? `ipv6:[${host.replace(/^\[|\]$/g, '')}]:${port}` : `dns:///${host}:${port}`
}

function credentialsOf({ tls }: Endpoint, material: TlsMaterial | undefined): ChannelCredentials {
  if (tls === undefined || material === undefined) return credentials.createInsecure()
  return credentials.createFromSecureContext(material.context, { checkServerIdentity: identityCheck(tls) })
}

function optionsOf(endpoint: Endpoint): ChannelOptions {
  return {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 3_000,
    'grpc.keepalive_permit_without_calls': 0,
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': messageBytes,
    'grpc.max_send_message_length': messageBytes,
    // Retries are the walk's own affair, and service configs from DNS must not bring any.
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    // Endpoints with the same address but different keys must not share a connection.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.dns_min_time_between_resolutions_ms': 5_000,
    ...(endpoint.tls && { 'grpc.ssl_target_name_override': endpoint.tls.serverName }),
  }
}

/** The channel's limit both ways; a call's own may be lower. */
const messageBytes = 4 * 1024 * 1024

function converse(channel: Channel, call: GrpcCall, options: CallOptions, endpoint: Endpoint, ports: DialPorts, leave: () => void): Promise<GrpcReply> {
  return new Promise((resolve, reject) => {
    const { clock } = ports
    const { lifeline, idleMs } = options
    lifeline.check()
    const metadata = metadataFromFields(call.metadata)
    const calling = channel.createCall(call.path, Number.POSITIVE_INFINITY, call.authority, null, null)
    let head: Metadata | undefined
    let status: StatusObject | undefined
    let said: GrpcStatus | undefined
    let answered = false
    let begun = false
    let over = false

    const finish = () => {
      if (over) return false
      over = true
      late()
      connecting()
      forget()
      leave()
      return true
    }
    const fail = (fault: Fault) => {
      if (!finish()) return
      calling.cancelWithStatus(Code.CANCELLED, fault.code)
      queue.fail(fault)
      reject(fault)
    }
    const queue = messageQueue({
      clock,
      idleMs,
      more: () => calling.startRead(),
      stalled: () => fail(stalledFault(endpoint, idleMs)),
      dropped: () => fail(new Fault('client_closed', 'nobody reads this answer')),
    })
    const answer = () => {
      answered = true
      late()
      connecting()
      resolve({
        kind: 'grpc',
        metadata: fieldsFromMetadata(head),
        messages: queue.messages,
        status() {
          if (status === undefined) throw new Fault('internal', 'internal error', { internal: 'a gRPC status was asked for before the messages had ended' })
          // The metrics, the record and the answer each ask.
          said ??= statusFrom(status)
          return said
        },
      })
    }
    const late = watchDeadline(options, clock, fail)
    const connecting = watchConnecting(channel, endpoint, ports, fail)
    const forget = lifeline.onEnd(fail)

    calling.start(metadata, {
      onReceiveMetadata(received) {
        head = received
        answer()
      },
      onReceiveMessage(message: Buffer | null) {
        if (message === null) return
        begun = true
        if (message.byteLength > options.messageLimit) fail(tooLarge(endpoint, message.byteLength))
        else queue.push(message)
      },
      onReceiveStatus(received) {
        if (over) return
        const lost = foreignFault(received, head, endpoint) ?? (begun && call.serverStream ? unreadable(received, endpoint) : lossOf(received, endpoint))
        if (lost !== undefined) return fail(lost)
        status = received
        finish()
        if (!answered) answer()
        queue.end()
      },
    })
    calling.startRead()
    say(calling, call.messages, options.messageLimit, () => over).catch((error: unknown) => fail(Fault.from(error)))
  })
}

function tooLarge(endpoint: Endpoint, bytes: number): Fault {
  return new Fault('upstream_message_too_large', 'the upstream sent too large a message', { internal: `${nameOf(endpoint)}: ${bytes} bytes` })
}

/** Sends the messages one after another, the next one when the one before has been taken. */
async function say(calling: Calling, messages: GrpcCall['messages'], limit: number, isOver: () => boolean): Promise<void> {
  if (messages instanceof Uint8Array) {
    checkSize(messages, limit)
    calling.sendMessageWithContext({}, Buffer.from(messages.buffer, messages.byteOffset, messages.byteLength))
  } else {
    for await (const message of messages) {
      if (isOver()) return
      checkSize(message, limit)
      await new Promise<void>((resolve) => {
        const buffer = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
        calling.sendMessageWithContext({ callback: () => resolve() }, buffer)
      })
    }
  }
  if (!isOver()) calling.halfClose()
}

function checkSize(message: Uint8Array, limit: number): void {
  if (message.byteLength > limit) throw new Fault('body_too_large', 'the message is too large', { internal: `${message.byteLength} bytes` })
}

/** grpc-js has no connect timeout of its own: a call over a connection that is not there waits for its deadline. */
function watchConnecting(channel: Channel, endpoint: Endpoint, { clock }: DialPorts, fail: (fault: Fault) => void): () => void {
  if (channel.getConnectivityState(true) === connectivityState.READY) return () => {}
  const timer = clock.after(endpoint.connectTimeoutMs, () => {
    if (channel.getConnectivityState(false) === connectivityState.READY) return
    fail(new Fault('upstream_unavailable', 'the upstream is not reachable', { internal: `${nameOf(endpoint)}: connecting took too long` }))
  })
  return () => timer.cancel()
}

const notGrpc = /without gRPC status/
const notUnpacked = /^Failed to decompress/
const neverSent = /^(?:No connection established|Name resolution failed|Stream refused by server)/
// Our own cancellations never get here, so a cancelled call is one that the upstream reset.
const cutOff = /^(?:Connection dropped|Call cancelled|Received RST_STREAM|read E|write E|socket hang up)/
const tooLong = /^Received message (?:larger than max|that decompresses to a size larger than)/

/**
 * A status that grpc-js made itself because there was no answer, or half of one, as the fault it is. What the upstream says nearly always
 * comes with headers or trailers of its own; what grpc-js says comes with neither, and only its text tells the cases apart. A stream that has
 * begun ends with the status, but for a message that cannot be read: its reader has taken what came before.
 */
function lossOf(status: StatusObject, endpoint: Endpoint): Fault | undefined {
  const { code, details, metadata } = status
  if (code === Code.OK || !isEmptyMetadata(metadata)) return undefined
  const unread = unreadable(status, endpoint)
  if (unread !== undefined) return unread
  if (neverSent.test(details)) return new Fault('upstream_unavailable', 'the upstream is not reachable', { internal: `${nameOf(endpoint)}: ${details}` })
  if (notGrpc.test(details)) return brokenProtocol(endpoint, details)
  return cutOff.test(details) ? brokenOff(endpoint, details) : undefined
}

/** The first bytes of a page are no length: what grpc-js gave up as too long a message was none. */
function foreignFault(status: StatusObject, head: Metadata | undefined, endpoint: Endpoint): Fault | undefined {
  const [type] = head?.get('content-type') ?? []
  if (typeof type !== 'string' || type.startsWith('application/grpc') || unreadable(status, endpoint) === undefined) return undefined
  return brokenProtocol(endpoint, `a body of ${type.slice(0, 64)}`)
}

/** grpc-js gave up a message: one over the channel's limit, as it came or inflated, or one that it could not unpack. */
function unreadable({ code, details, metadata }: StatusObject, endpoint: Endpoint): Fault | undefined {
  // Some of what it cannot unpack it gives as an error in place of a status: neither code nor details, whatever the types say.
  if (typeof (code as unknown) !== 'number') return brokenProtocol(endpoint, 'a message that cannot be unpacked')
  if (!isEmptyMetadata(metadata)) return undefined
  if (code === Code.INTERNAL && notUnpacked.test(details)) return brokenProtocol(endpoint, details)
  if (code !== Code.RESOURCE_EXHAUSTED || !tooLong.test(details)) return undefined
  return new Fault('upstream_message_too_large', 'the upstream sent too large a message', { internal: `${nameOf(endpoint)}: ${details}` })
}
