import type { ListenerTls } from '../../core/policy/linked/listeners.ts'
import type { Clock } from '../../core/ports.ts'
import type { ListenerSecrets } from '../listeners.ts'
import { keeperOf, lookAgainMs, type MaterialPorts, type TlsMaterial } from '../tls-material.ts'

/** The certificates of one listener, and who is told when they change. */
export interface CertificateWatch {
  readonly first: ListenerSecrets
  /** Looks at the files until `stop`, and calls this with each new set that is good. */
  follow(changed: (secrets: ListenerSecrets) => void): { stop(): void }
}

/** Reads what a listener shows and whom it trusts. @throws Error when it cannot be read or does not fit together */
export async function watchCertificates(name: string, tls: ListenerTls, ports: MaterialPorts & { readonly clock: Clock }): Promise<CertificateWatch> {
  const keeper = keeperOf({ ca: tls.clientCa, certificate: tls.certificate, key: tls.key }, `listener ${name}`, ports)
  let current = await keeper.now()
  const secretsOf = ({ ca, certificate = '', key = '' }: TlsMaterial): ListenerSecrets => ({ certificate, key, clientCa: ca, clientAuth: tls.clientAuth })
  return {
    first: secretsOf(current),
    follow(changed) {
      let timer: { cancel(): void } | undefined
      let stopped = false
      const rest = () => {
        if (!stopped) timer = ports.clock.after(lookAgainMs, () => void look())
      }
      const look = async () => {
        try {
          const now = await keeper.now()
          if (now !== current && !stopped) {
            current = now
            changed(secretsOf(now))
          }
        } catch {
          // Cannot be: there was a good one, and the keeper keeps it. It has told what became of the new one.
        }
        rest()
      }
      rest()
      return {
        stop() {
          stopped = true
          timer?.cancel()
        },
      }
    },
  }
}
