/** The proxy beside the gateway that knows the mesh. */
export interface Sidecar {
  readonly kind: 'envoy' | 'stand-in'
  readonly description: string
  readonly pid: number | undefined
  close(): Promise<void>
}

export interface SidecarPorts {
  readonly listen: number
  readonly services: Readonly<Record<string, { readonly authority: string; readonly port: number; readonly protocol: 'http' | 'grpc' }>>
  /** Resolves when the listener accepts a connection. */
  answers(): Promise<void>
}
