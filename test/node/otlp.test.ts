import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { FetchRequest, FetchResponse, JournalRecord } from '../../src/core/ports.ts'
import { createSpanExporter, otlpDefaults } from '../../src/node/otlp.ts'
import { fakeFetch, fakePorts } from '../support/ports.ts'

const url = 'http://127.0.0.1:4318/v1/traces'

const record = (more: Record<string, JournalRecord[string]> = {}): JournalRecord => ({
  kind: 'request',
  time: '2026-01-01T00:00:00.000Z',
  wing: 'ingress',
  id: 'id-1',
  method: 'GET',
  host: 'api.example.com',
  path: '/v1/orders/7',
  route: 'orders',
  rpc: 'shop.v1.Orders/GetOrder',
  status: 200,
  grpc_status: 0,
  ending: 'whole',
  duration_ms: 12.5,
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  span_id: 'b7ad6b7169203331',
  parent_id: '00f067aa0ba902b7',
  sampled: true,
  ...more,
})

function exporter(answer: Partial<FetchResponse> | Error | (() => Partial<FetchResponse>), more: Partial<typeof otlpDefaults> = {}) {
  const fetch = fakeFetch({ [url]: answer })
  const ports = fakePorts({ fetch })
  const spans = createSpanExporter({ url, headers: { 'x-key': 'k' }, serviceName: 'edge', environment: 'dev', ...otlpDefaults, ...more }, ports)
  return { ports, spans, fetch }
}

const spansIn = (request: FetchRequest | undefined) => JSON.parse(request?.body ?? '{}').resourceSpans[0].scopeSpans[0].spans

describe('the span exporter', () => {
  it('sends one span per record with the ids of the record and the right parent', async () => {
    const { spans, fetch } = exporter({ status: 200 })
    spans.take(record())
    await spans.flush()
    const [request] = fetch.requests
    expect(request).toMatchObject({ url, method: 'POST', headers: { 'content-type': 'application/json', 'x-key': 'k' } })
    expect(JSON.parse(request?.body ?? '').resourceSpans[0].resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'edge' } })
    const [span] = spansIn(request)
    expect(span).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      parentSpanId: '00f067aa0ba902b7',
      name: 'shop.v1.Orders/GetOrder',
      kind: 2,
      startTimeUnixNano: '1767225600000000000',
      endTimeUnixNano: '1767225600012500000',
      status: {},
    })
    expect(span.attributes).toContainEqual({ key: 'http.response.status_code', value: { intValue: '200' } })
  })

  it('gives a root span no parent, and marks answers from 500 on as errors', async () => {
    const { spans, fetch } = exporter({ status: 200 })
    spans.take(record({ parent_id: undefined, status: 503, refusal: { code: 'overloaded' } }))
    await spans.flush()
    const [span] = spansIn(fetch.requests[0])
    expect(span).not.toHaveProperty('parentSpanId')
    expect(span.status).toEqual({ code: 2, message: 'overloaded' })
  })

  it('leaves alone what is not sampled, not a request, or without a trace', async () => {
    const { spans, fetch } = exporter({ status: 200 })
    spans.take(record({ sampled: false }))
    spans.take({ kind: 'event', sampled: true })
    spans.take(record({ trace_id: undefined }))
    await spans.flush()
    expect(fetch.requests).toEqual([])
  })

  it('waits for the interval, or for a full batch', async () => {
    const { spans, fetch, ports } = exporter({ status: 200 }, { ...otlpDefaults, batch: 512 })
    spans.take(record())
    expect(fetch.requests).toHaveLength(0)
    ports.clock.advance(otlpDefaults.intervalMs)
    await spans.flush()
    expect(fetch.requests).toHaveLength(1)
    for (let i = 0; i < 512; i++) spans.take(record())
    await spans.flush()
    expect(spansIn(fetch.requests[1])).toHaveLength(512)
  })

  it('tries a batch once more when the collector is away, then drops and counts it', async () => {
    const { spans, fetch, ports } = exporter(new Error('ECONNREFUSED'))
    spans.take(record())
    await spans.flush()
    expect(ports.meter.total('sallyport_spans_dropped_total')).toBe(0)
    await spans.flush()
    expect(fetch.requests).toHaveLength(2)
    expect(ports.meter.total('sallyport_spans_dropped_total', { reason: 'unreachable' })).toBe(1)
    await spans.flush()
    expect(fetch.requests).toHaveLength(2)
  })

  it('does not repeat what the collector refuses', async () => {
    const { spans, fetch, ports } = exporter({ status: 400 })
    spans.take(record())
    await spans.flush()
    await spans.flush()
    expect(fetch.requests).toHaveLength(1)
    expect(ports.meter.total('sallyport_spans_dropped_total', { reason: 'refused' })).toBe(1)
  })

  it('holds a bounded number of spans while the collector does not answer', async () => {
    const answer = Promise.withResolvers<Partial<FetchResponse>>()
    const fetch = fakeFetch({ [url]: () => answer.promise })
    const ports = fakePorts({ fetch })
    const spans = createSpanExporter({ url, headers: {}, serviceName: 's', environment: 'dev', ...otlpDefaults, batch: 10, queue: 20 }, ports)
    for (let i = 0; i < 100; i++) spans.take(record())
    expect(ports.meter.total('sallyport_spans_dropped_total', { reason: 'queue' })).toBe(70)
    answer.resolve({ status: 200 })
    await spans.close()
    expect(fetch.requests.reduce((sum, request) => sum + spansIn(request).length, 0)).toBe(30)
  })

  it('sends what waits when it closes, and takes no more', async () => {
    const { spans, fetch, ports } = exporter({ status: 200 })
    spans.take(record())
    await spans.close()
    spans.take(record())
    expect(fetch.requests).toHaveLength(1)
    expect(ports.clock.pending).toBe(0)
  })

  it('speaks to a collector on a real socket', async () => {
    const bodies: string[] = []
    const collector = createServer((request, response) => {
      let text = ''
      request.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      request.on('end', () => {
        bodies.push(`${request.method} ${request.url} ${request.headers['content-type']} ${text}`)
        response.end('{}')
      })
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void collector.close())
    const target = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`
    const ports = fakePorts()
    const send = async (request: FetchRequest): Promise<FetchResponse> => {
      const answer = await fetch(request.url, { method: request.method, headers: request.headers, body: request.body ?? null })
      return { status: answer.status, headers: {}, text: await answer.text() }
    }
    const spans = createSpanExporter({ url: target, headers: {}, serviceName: 's', environment: 'dev', ...otlpDefaults }, { ...ports, fetch: send })
    spans.take(record())
    await spans.close()
    expect(bodies).toHaveLength(1)
    expect(bodies[0]).toMatch(/^POST \/v1\/traces application\/json \{"resourceSpans":/)
  })
})
