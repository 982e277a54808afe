/** The policies of the journeys. `${…}` are variables, so that both grounds load the very same text. */
export const journeyPolicies = `sallyport: v1
environments:
  dev: { class: nonprod }
listeners:
  public: { address: "127.0.0.1:0", limits: { headers: 8KiB, body: 4KiB } }
issuers:
  main:
    issuer: "\${ISSUER}"
    jwks: "\${ISSUER}/jwks"
    audiences: [https://api.example.com]
    algorithms: [ES256]
    tokenTypes: [at+jwt]
clusters:
  echo: { sidecar: none, protocol: http, address: "127.0.0.1:\${ECHO_PORT}" }
  orders: { sidecar: none, protocol: grpc, address: "127.0.0.1:\${ORDERS_PORT}", descriptors: shop.binpb }
limits:
  three: { rate: 3/10s, key: [subject] }
access:
  open: { rules: [{ id: everyone, allow: { anonymous: true } }] }
  things:
    authenticate: { jwt: main }
    rules:
      - { id: read, allow: { methods: [GET], scopes: [things:read] } }
      - { id: write, allow: { methods: [POST], scopes: [things:write] } }
      - { id: own-tenant, deny: { paths: ["/things/{tenant}/**"] }, when: claims.tenant != request.params.tenant, reason: A tenant has its own things only. }
  orders:
    authenticate: { jwt: main }
    rules: [{ id: read, allow: { grpc: [shop.v1.Orders/GetOrder, shop.v1.Orders/WatchOrders], scopes: [things:read] } }]
routes:
  public: { match: { path: "/public/{**}", methods: [GET] }, access: open, to: echo }
  slashes: { match: { path: "/slashes/{**}" }, access: open, allow: [encodedSlash], to: echo }
  tagged: { match: { path: "/public/{**}", methods: [GET], headers: { x-kind: { pattern: "a[0-9]+" } } }, access: open, to: echo }
  hosted: { match: { hosts: [shop.example.com], path: "/hosted" }, access: open, to: echo }
  things: { match: { path: "/things/{tenant}/{**}" }, access: things, to: echo }
  limited: { match: { path: "/limited" }, access: things, limits: [three], to: echo }
  broken: { match: { path: "/broken" }, access: open, to: echo }
  orders: { match: { grpc: shop.v1.Orders }, access: orders, to: orders }
`
