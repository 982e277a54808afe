import { fileURLToPath } from 'node:url'
import type { Peer } from '../model.ts'

const program = (name: string): string => fileURLToPath(new URL(`../programs/${name}`, import.meta.url))

/** node:http and undici, bodies piped: what one writes instead of a gateway. */
export const undiciProxy: Peer = {
  name: 'node+undici',
  suites: ['proxy'],
  about: 'node:http in front of undici, bodies piped',
  features: [],
  extra: false,
  install: 'npm install',
  available: async () => `Node ${process.versions.node}, undici`,
  start: async ({ spawn, nodeFlags, port, backendPort }) =>
    spawn(process.execPath, [...nodeFlags, program('undici-proxy.ts'), String(port), String(backendPort)]),
}

/** Middleware in the manner of Express, grpc-js, and JSON by @bufbuild/protobuf. */
export const grpcJs: Peer = {
  name: 'grpc-js',
  suites: ['transcode', 'shop'],
  about: 'Express-style middleware, @grpc/grpc-js, JSON by @bufbuild/protobuf',
  features: ['route'],
  extra: false,
  install: 'npm install',
  available: async () => `Node ${process.versions.node}, @grpc/grpc-js`,
  start: async ({ spawn, nodeFlags, port, backendPort, descriptors }) =>
    spawn(process.execPath, [...nodeFlags, program('grpc-js-translator.ts'), String(port), String(backendPort), descriptors]),
}
