/** What the attacks are made on. `/private` asks for a token, `/maybe` takes one if it is there, `/open` asks nobody. */
export const attackPolicies = `sallyport: v1
environments:
  dev: { class: nonprod }
listeners:
  public: { address: "127.0.0.1:0", limits: { body: 4KiB } }
issuers:
  main:
    issuer: "\${IDP}/main"
    jwks: "\${IDP}/main/jwks"
    audiences: [https://api.example.com]
    algorithms: [RS256, PS256, ES256, ES384, ES512, EdDSA]
    tokenTypes: [at+jwt]
    maxLifetime: 1h
  narrow:
    issuer: "\${IDP}/narrow"
    jwks: "\${IDP}/narrow/jwks"
    audiences: [https://api.example.com]
    algorithms: [ES256]
    tokenTypes: [at+jwt]
  other:
    issuer: "\${IDP}/other"
    jwks: "\${IDP}/other/jwks"
    audiences: [https://api.example.com]
    algorithms: [ES256]
    tokenTypes: [at+jwt]
  bound:
    issuer: "\${IDP}/bound"
    jwks: "\${IDP}/bound/jwks"
    audiences: [https://bound.example.com]
    algorithms: [ES256]
    tokenTypes: [at+jwt]
    proof: { required: any }
clusters:
  service: { sidecar: none, protocol: http, address: "127.0.0.1:\${UPSTREAM}" }
access:
  private: { authenticate: { jwt: main }, rules: [{ id: read, allow: { scopes: [orders:read] } }] }
  narrow: { authenticate: { jwt: narrow }, rules: [{ id: read, allow: { scopes: [orders:read] } }] }
  bound: { authenticate: { jwt: bound }, rules: [{ id: read, allow: { scopes: [orders:read] } }] }
  maybe: { authenticate: { optional: { jwt: main } }, rules: [{ id: all, allow: { anonymous: true } }] }
  open: { authenticate: none, rules: [{ id: all, allow: { anonymous: true } }] }
  fenced:
    authenticate: none
    rules:
      - { id: all, allow: { anonymous: true } }
      - { id: admin, deny: { paths: ["/site/admin/**", /site/admin] } }
      - { id: no-delete, deny: { methods: [DELETE] } }
      - { id: no-get, deny: { methods: [GET], paths: [/site/write-only] } }
      - { id: host, deny: { hosts: [secret.example], paths: ["/site/**"] } }
routes:
  private: { match: { path: "/private/{**}" }, access: private, handOn: { claims: { x-user: sub } }, to: service }
  narrow: { match: { path: "/narrow/{**}" }, access: narrow, to: service }
  bound: { match: { path: "/bound/{**}" }, access: bound, to: service }
  maybe: { match: { path: "/maybe/{**}" }, access: maybe, handOn: { claims: { x-user: sub, x-groups: groups } }, to: service }
  open: { match: { path: "/open/{**}" }, access: open, to: service }
  site: { match: { path: "/site/{**}" }, access: fenced, to: service }
  reading: { match: { path: "/reading/{**}", methods: [GET] }, access: open, to: service }
  inside: { match: { path: "/hosted/{**}", hosts: [inside.example] }, access: private, to: service }
  outside: { match: { path: "/hosted/{**}", hosts: [outside.example] }, access: open, to: service }
`
