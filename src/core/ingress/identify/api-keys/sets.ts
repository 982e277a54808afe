import type { ApiKeySet } from '../../../policy/linked/api-keys.ts'
import { type ApiKeyPorts, type ApiKeyStore, openApiKeyStore } from './store.ts'

interface Shared {
  readonly store: ApiKeyStore
  users: number
}

/** A share in the memory of one set. */
export interface ApiKeyShare extends ApiKeyStore {
  release(): void
}

/** What this process remembers of API keys. Snapshots take shares: equal sets share one memory, so a reload forgets nothing. */
export class ApiKeySets {
  readonly #ports: ApiKeyPorts
  readonly #stores = new Map<string, Shared>()

  constructor(ports: ApiKeyPorts) {
    this.#ports = ports
  }

  acquire(set: ApiKeySet): ApiKeyShare {
    const key = JSON.stringify([set.name, set.store, set.refreshMs, set.staleForMs])
    const shared = this.#stores.get(key) ?? { store: openApiKeyStore(set, this.#ports), users: 0 }
    shared.users++
    this.#stores.set(key, shared)
    let held = true
    return {
      find: (id) => shared.store.find(id),
      release: () => {
        if (!held) return
        held = false
        if (--shared.users === 0) this.#stores.delete(key)
      },
    }
  }
}
