import type { EgressService } from '../../model/egress-service.ts'
import type { EgressTarget } from '../../model/egress-target.ts'
import type { ListenerTls } from './listeners.ts'

export interface LinkedEgress {
  readonly service: EgressService
  /** Of its own port; undefined: clear text. */
  readonly tls?: ListenerTls | undefined
  readonly targets: Readonly<Record<string, EgressTarget>>
}

export interface GuardHost {
  /** A host name or address; of a forward proxy also `*.x`. */
  readonly host: string
  readonly port: number
  /** The service whose production target it is. */
  readonly service: string
  /** Listed by a forward proxy: hosts that the same service may share with nonprod when its operator says so. */
  readonly proxied?: true
}
