import { describe, expect, it } from 'vitest'
import { loadBeside, marked } from '../support/load.ts'

const open = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const plain = 'clusters: { a: { address: "127.0.0.1:1" } }\n'
const grpc = 'clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }\n'
const balanced = (more: string) => `clusters: { a: { address: "127.0.0.1:1", ${more} } }\nroutes: { r: { match: { path: / }, ${open}, to: a } }\n`
const orders = (more: string) => `${grpc}routes: { r: { match: { grpc: shop.v1.Orders }, ${open}, to: g, ${more} } }\n`
const rule = (text: string) =>
  `${plain}issuers: { main: { issuer: "https://idp.example.com", audiences: [a] } }\nroutes: { r: { match: { path: / }, to: a, access: { rules: [{ id: all, allow: { scopes: [a] } }, { id: b, ${text} }] } } }\n`
const pay = (environments: string) => `callers: { c: {} }\negress: { pay: { listen: "127.0.0.1:9101", callers: [c], environments: { ${environments} } } }\n`

describe('what is said where it can have no effect', () => {
  it.each([
    ['RPCs to repeat, on a path route', `${plain}routes: { r: { match: { path: / }, ${open}, to: a, retry: { «rpcs: [GetOrder] } } }\n`],
    [
      'RPCs to repeat, on an egress service',
      pay('dev: { target: "https://a.example" }').replace('callers: [c],', 'callers: [c], retry: { «rpcs: [GetOrder] },'),
    ],
    ['a gRPC code to repeat on, on a path route', `${plain}routes: { r: { match: { path: / }, ${open}, to: a, retry: { on: [connect, «aborted] } } }\n`],
    ['answers held back, on a grpc route', orders('retry: { «answers: 16KiB }')],
    [
      'answers held back that are not asked for again',
      `${plain}routes: { r: { match: { path: / }, ${open}, to: a, retry: { on: [connect], «answers: 16KiB } } }\n`,
    ],
    ['a status to repeat on, on a grpc route', orders('retry: { on: [connect, «503] }')],
    ['sticky with one destination', `${plain}routes: { r: { match: { path: / }, ${open}, to: a, «sticky: client } }\n`],
    [
      'descriptors of a cluster that does not speak gRPC',
      `clusters: { a: { address: "127.0.0.1:1", «descriptors: shop.binpb } }\nroutes: { r: { match: { path: / }, ${open}, to: a } }\n`,
    ],
    ['a key of a balancer that does not hash', balanced('balance: { policy: random, «key: client }')],
    ['a slow start with hashing', balanced('balance: { policy: maglev, key: client, «slowStart: 30s }')],
    ['statuses without a path', balanced('health: { tcp: true, «statuses: [204] }')],
    ['a reason of an audit rule', rule('audit: {}, «reason: x')],
    ['a reason of an allow rule without scopes', rule('allow: { methods: [GET] }, «reason: x')],
    ['hosts to guard in nonprod', pay('dev: { target: "https://a.example", «guardHosts: [b.example] }')],
    ['sharing an address with prod, in prod', pay('prod: { target: "https://a.example", «sharesAddressWithProd: true }')],
  ])('is a warning at its place: %s', async (_, text) => {
    const { text: clean, marks } = marked(text)
    const { diagnostics } = await loadBeside(clean)
    expect(diagnostics.map(({ severity, code, line, column }) => [severity, code, `${line - 1}:${column}`])).toEqual([['warning', 'no_effect', marks[0]]])
  })

  it.each([
    [
      'what repeats on a grpc route',
      orders(
        'retry: { attempts: 2, on: [connect, reset, unavailable, deadline, aborted], rpcs: [GetOrder], methods: [GET], withIdempotencyKey: [POST], budget: 10%, maxRetryAfter: 1s, perTry: 1s }',
      ),
    ],
    [
      'sticky with two destinations',
      `clusters: { a: { address: "127.0.0.1:1", subsets: { b: { authority: b } } } }\nroutes: { r: { match: { path: / }, ${open}, sticky: client, to: [{ cluster: a, weight: 50 }, { cluster: a, subset: b, weight: 50 }] } }\n`,
    ],
    ['reasons that somebody reads', rule('deny: { methods: [PUT] }, reason: x').replace('allow: { scopes: [a] }', 'allow: { scopes: [a] }, reason: y')],
  ])('and what has one is none: %s', async (_, text) => {
    expect((await loadBeside(text)).diagnostics).toEqual([])
  })

  it('is a warning on a listener too', async () => {
    const { diagnostics } = await loadBeside('', {
      files: {
        'base.yaml':
          'sallyport: v1\nenvironments: { dev: { class: nonprod } }\nlisteners: { public: { address: "127.0.0.1:1", tls: { certificate: env:A, key: env:B, clientCa: env:C } } }\n',
      },
    })
    expect(diagnostics.map(({ code }) => code)).toContain('no_effect')
  })
})
