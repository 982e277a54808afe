/** Import boundaries of ARCHITECTURE.md. `parser: 'swc'`: with TypeScript 7 alone the tool sees no modules; test/boundaries proves it does. */
const room = '^src/core/(ingress|egress|upstream|observe)/'
const walks = '^src/core/(ingress|egress|edge|snapshot|live|rehearse)\\.ts$'

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'model-imports-nothing', severity: 'error', from: { path: '^src/core/model/' }, to: { pathNot: '^src/core/model/' } },
    {
      name: 'core-is-pure',
      comment: 'The core may use a few pure packages and nothing of a ground.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: {
        pathNot: [
          '^src/core/',
          '^node_modules/(jose|@bufbuild/protobuf|@marcbachmann/cel-js|yaml|zod|ipaddr\\.js|re2js|oauth4webapi|http-cache-semantics|tldts|tldts-core)(/|$)',
        ],
      },
    },
    {
      name: 'a-room-does-not-know-the-walks',
      severity: 'error',
      from: { path: [room, '^src/core/(upstream|ports|net|pattern|expression|protobuf|openapi)\\.ts$', '^src/core/policy/'] },
      to: { path: walks },
    },
    {
      name: 'a-room-does-not-enter-another',
      severity: 'error',
      comment:
        'The address guard and the switches belong to the whole egress wing; the egress report and the walk of byte streams ask the deciders of every room.',
      from: { path: '^src/core/(ingress|egress)/([a-z-]+)(\\.ts$|/)', pathNot: '^src/core/egress/(explain|stream|tunnel)(\\.ts$|/)' },
      to: {
        path: '^src/core/(ingress|egress|upstream)/',
        pathNot: ['^src/core/$1/$2(\\.ts$|/)', '^src/core/egress/(guard|credential|switched|proxied)\\.ts$'],
      },
    },
    {
      name: 'a-room-does-not-use-upstream',
      severity: 'error',
      from: { path: '^src/core/(ingress|egress|observe)/' },
      to: { path: '^src/core/upstream' },
    },
    {
      name: 'a-room-sees-policy-types-only',
      severity: 'error',
      from: { path: [room, '^src/core/openapi(\\.ts$|/)'] },
      to: { path: '^src/core/policy/', pathNot: '^src/core/policy/(linked/[a-z-]+|policy|diagnostic|requirement)\\.ts$' },
    },
    {
      name: 'interiors-are-private',
      comment: 'A file x.ts beside a folder x/ is its door.',
      severity: 'error',
      from: { path: '^src/core/', pathNot: '^src/core/(ingress|egress)/' },
      to: { path: '^src/core/(ingress|egress)/[a-z-]+/' },
    },
    {
      name: 'upstream-interior-is-private',
      severity: 'error',
      from: { pathNot: '^src/core/upstream(\\.ts$|/)' },
      to: { path: '^src/core/upstream/' },
    },
    { name: 'openapi-interior-is-private', severity: 'error', from: { pathNot: '^src/core/openapi(\\.ts$|/)' }, to: { path: '^src/core/openapi/' } },
    { name: 'edge-interior-is-private', severity: 'error', from: { pathNot: '^src/core/edge(\\.ts$|/)' }, to: { path: '^src/core/edge/' } },
    {
      name: 'protobuf-is-for-translation-and-linking',
      severity: 'error',
      from: {
        path: '^src/core/',
        pathNot: [
          '^src/core/protobuf(\\.ts$|/)',
          '^src/core/openapi(\\.ts$|/)',
          '^src/core/policy/',
          '^src/core/snapshot\\.ts$',
          '^src/core/ingress/(translate|respond)(\\.ts$|/)',
          '^src/core/ingress/authorize/ask/',
        ],
      },
      to: { path: ['^src/core/protobuf', '^node_modules/@bufbuild/protobuf'] },
    },
    { name: 'grounds-are-apart', severity: 'error', from: { path: '^src/node/' }, to: { path: '^src/worker/' } },
    {
      name: 'worker-has-no-node',
      severity: 'error',
      from: { path: '^src/worker/' },
      to: { path: ['^src/node/', '^node_modules/(ioredis|@grpc/|rate-limiter-flexible|undici|ws|@hono/node-server)'] },
    },
    { name: 'worker-has-no-node-builtins', severity: 'error', from: { path: '^src/worker/' }, to: { dependencyTypes: ['core'] } },
    { name: 'core-has-no-node-builtins', severity: 'error', from: { path: '^src/core/' }, to: { dependencyTypes: ['core'] } },
    {
      name: 'only-core-egress-credential-reads-secrets-packages',
      severity: 'error',
      from: { path: '^src/core/', pathNot: '^src/core/(egress/credential|ingress/identify/introspection/|token-endpoint\\.ts$|client-proof\\.ts$)' },
      to: { path: '^node_modules/oauth4webapi' },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'], extensions: ['.ts', '.js', '.json'] },
  },
}
