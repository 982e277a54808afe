/** The bundled policy of one environment: `edgePolicyOf` the linked policy, as JSON. Made before every build (see wrangler.toml). */
declare module 'sallyport:policy' {
  const policy: import('../core/policy/policy.ts').Policy
  export default policy
}
