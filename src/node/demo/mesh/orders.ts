import {
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import {
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { OrderBook, type OrderJson, textOf } from './order-book.ts'
import { addReflection } from './reflection.ts'

/** One call as the service saw it. */
export interface SeenCall {
  readonly method: string
  readonly metadata: Readonly<Record<string, string>>
  /** Milliseconds left when the call arrived; Infinity without a deadline. */
  readonly remainingMs: number
  /** Resolves when the call was cancelled before it ended. */
  readonly cancelled: Promise<void>
  /** Messages handed to the transport so far, on streams. */
  readonly written: () => number
}

export interface OrdersOptions {
  readonly port: number
  /** Answers say so in `servedBy`. */
  readonly version: string
  /** Serialized FileDescriptorSet with shop.v1.Orders. */
  readonly descriptors: Uint8Array
  readonly onCall?: (call: SeenCall) => void
}

export interface Orders {
  readonly port: number
  close(): Promise<void>
}

type Call =
  | ServerUnaryCall<Message, Message>
  | ServerReadableStream<Message, Message>
  | ServerWritableStream<Message, Message>
  | ServerDuplexStream<Message, Message>

/** The shop's Orders: a gRPC service with all four kinds of call and server reflection. It works in ProtoJSON inside. */
export async function startOrders(options: OrdersOptions): Promise<Orders> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, options.descriptors))
  const service = registry.getService('shop.v1.Orders')
  if (service === undefined) throw new Error('the descriptor set has no shop.v1.Orders')
  const server = new Server()
  const definition = Object.fromEntries(service.methods.map((method) => [method.name, definitionOf(method)])) as ServiceDefinition
  server.addService(definition, handlers(options, registry))
  addReflection(server, options.descriptors)
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync(`127.0.0.1:${options.port}`, ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  return {
    port,
    close: async () => server.forceShutdown(),
  }
}

function definitionOf(method: DescMethod): MethodDefinition<Message, Message> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(method.output, message)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  }
}

function handlers(options: OrdersOptions, registry: FileRegistry): UntypedServiceImplementation {
  const book = new OrderBook(options.version)
  const type = (name: string): DescMessage => {
    const found = registry.getMessage(`shop.v1.${name}`)
    if (found === undefined) throw new Error(`the descriptor set has no shop.v1.${name}`)
    return found
  }
  const read = (name: string, message: Message): JsonObject => toJson(type(name), message) as JsonObject
  const write = (name: string, json: JsonValue): Message => fromJson(type(name), json)
  const unary =
    (method: string, input: string, output: string, run: (request: JsonObject, asking: string) => JsonValue): handleUnaryCall<Message, Message> =>
    (call, answer) => {
      see(options, method, call, () => 0)
      const head = new Metadata()
      head.set('x-served-by', options.version)
      call.sendMetadata(head)
      try {
        answer(null, write(output, run(read(input, call.request), tenantOf(call))))
      } catch (error) {
        answer(error as Error)
      }
    }
  return {
    GetOrder: unary('GetOrder', 'GetOrderRequest', 'Order', (request, asking) => book.get(asking, textOf(request['id']), textOf(request['tenant']))),
    ListOrders: unary('ListOrders', 'ListOrdersRequest', 'ListOrdersResponse', (request, asking) => book.list(asking, request)),
    CreateOrder: unary('CreateOrder', 'CreateOrderRequest', 'Order', (request, asking) => book.create(asking, (request['order'] ?? {}) as OrderJson)),
    UpdateOrder: unary('UpdateOrder', 'UpdateOrderRequest', 'Order', (request, asking) =>
      book.update(asking, (request['order'] ?? {}) as OrderJson, textOf(request['updateMask'])),
    ),
    CancelOrder: unary('CancelOrder', 'CancelOrderRequest', 'Order', (request, asking) => book.cancel(asking, textOf(request['id']))),
    WatchOrders: (call: ServerWritableStream<Message, Message>) =>
      watch(options, book, call, read('WatchOrdersRequest', call.request), (json) => write('OrderEvent', json)),
    ImportOrders: (call: ServerReadableStream<Message, Message>, answer: (error: Error | null, message?: Message) => void) => {
      see(options, 'ImportOrders', call, () => 0)
      let imported = 0
      const rejected: string[] = []
      call.on('data', (message: Message) => {
        try {
          book.create(tenantOf(call), read('Order', message))
          imported += 1
        } catch (error) {
          rejected.push(error instanceof Error ? error.message : 'it cannot be imported')
        }
      })
      call.on('end', () => answer(null, write('ImportOrdersResponse', { imported, rejected })))
    },
    Chat: (call: ServerDuplexStream<Message, Message>) => {
      see(options, 'Chat', call, () => 0)
      call.on('data', (message: Message) => {
        const said = read('ChatMessage', message)
        call.write(write('ChatMessage', { from: options.version, text: `you said: ${textOf(said['text'])}` }))
      })
      call.on('end', () => call.end())
    },
  }
}

/** Writes events until `count` is reached, the call is cancelled, or for ever; waits whenever the reader is slower. */
function watch(
  options: OrdersOptions,
  book: OrderBook,
  call: ServerWritableStream<Message, Message>,
  request: JsonObject,
  event: (json: JsonValue) => Message,
): void {
  const count = Number(request['count'] ?? 0)
  const intervalMs = Number(request['intervalMs'] ?? 0)
  let sequence = 0
  let timer: NodeJS.Timeout | undefined
  see(options, 'WatchOrders', call, () => sequence)
  call.on('cancelled', () => clearTimeout(timer))
  const next = (): void => {
    if (call.cancelled) return
    if (count > 0 && sequence >= count) {
      call.end()
      return
    }
    sequence += 1
    const room = call.write(event({ sequence: String(sequence), at: new Date().toISOString(), order: book.get('', '7') }))
    if (room) timer = setTimeout(next, intervalMs)
    else call.once('drain', next)
  }
  next()
}

/** The tenant that the gateway hands on from the verified token (`handOn` in the policies). */
function tenantOf(call: Call): string {
  return String(call.metadata.get('x-tenant')[0] ?? '')
}

function see(options: OrdersOptions, method: string, call: Call, written: () => number): void {
  if (options.onCall === undefined) return
  const deadline = call.getDeadline()
  const at = deadline instanceof Date ? deadline.getTime() : deadline
  const cancelled = new Promise<void>((done) => void (call as NodeJS.EventEmitter).on('cancelled', () => done()))
  const metadata = Object.fromEntries(Object.entries(call.metadata.getMap()).map(([name, value]) => [name, String(value)]))
  options.onCall({ method, metadata, remainingMs: at - Date.now(), cancelled, written })
}
