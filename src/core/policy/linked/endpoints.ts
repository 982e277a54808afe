export type Endpoints = { readonly kind: 'static'; readonly addresses: readonly StaticAddress[] } | (EndpointSource & { readonly shrinking: ShrinkRule })

/** Where endpoints are found while the gateway runs. */
export type EndpointSource =
  | { readonly kind: 'dns'; readonly name: string; readonly port: number }
  /** SRV records. */
  | { readonly kind: 'srv'; readonly name: string }
  /** An absolute path. */
  | { readonly kind: 'file'; readonly path: string }
  | ConsulSource
  | KubernetesSource

export interface ConsulSource {
  readonly kind: 'consul'
  /** Base URL of an agent or server, without "/" at the end. */
  readonly address: string
  readonly service: string
  readonly tag: string | undefined
  readonly datacenter: string | undefined
  /** Reference. */
  readonly token: string | undefined
  /** Reference to PEM text. */
  readonly ca: string | undefined
  /** False: instances whose checks only warn count too. */
  readonly passing: boolean
  /** Any server may answer, not the leader alone. */
  readonly stale: boolean
}

export interface KubernetesSource {
  readonly kind: 'kubernetes'
  /** Base URL, without "/" at the end. */
  readonly apiServer: string
  readonly namespace: string
  readonly service: string
  /** Name or number of the port of the pods. */
  readonly port: string | number
  /** References. */
  readonly token: string | undefined
  readonly ca: string | undefined
}

/** When a source that says much less than before is believed. */
export interface ShrinkRule {
  /** The greatest share that may go at once, from 0 to 1. */
  readonly share: number
  /** More than that goes when the source has said so for this long. */
  readonly confirmMs: number
  /** `take`: even when nothing is left. */
  readonly empty: 'keep' | 'take'
}

export type StaticAddress = ({ readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'unix'; readonly path: string }) & {
  readonly weight: number
  readonly zone?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
}
