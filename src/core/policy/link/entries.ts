import type { AccessDocument } from '../document/access.ts'
import type { ApiKeysDocument } from '../document/api-keys.ts'
import type { CallerDocument } from '../document/callers.ts'
import type { CertificateDocument } from '../document/certificates.ts'
import type { ClusterDocument } from '../document/clusters.ts'
import type { DeciderDocument } from '../document/deciders.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { EnvironmentDocument } from '../document/environments.ts'
import type { IssuerDocument } from '../document/issuers.ts'
import type { LimitDocument } from '../document/limits.ts'
import type { EgressListenerDocument, PlainListenerDocument, PublicListenerDocument } from '../document/listeners.ts'
import type { RouteDocument } from '../document/routes.ts'
import type { ExchangeDocument, ResourceDocument, TokenDocument } from '../document/tokens.ts'
import type { Entry } from './linking.ts'

/** Every object of the format with its shape checked, by section. */
export interface Entries {
  readonly environments: ReadonlyMap<string, Entry<EnvironmentDocument>>
  readonly listeners: ListenersByName
  readonly store: ReadonlyMap<string, Entry<string>>
  readonly debug: ReadonlyMap<string, Entry<string>>
  readonly tokens: ReadonlyMap<string, Entry<TokenDocument>>
  readonly exchanges: ReadonlyMap<string, Entry<ExchangeDocument>>
  readonly resources: ReadonlyMap<string, Entry<ResourceDocument>>
  readonly issuers: ReadonlyMap<string, Entry<IssuerDocument>>
  readonly apiKeys: ReadonlyMap<string, Entry<ApiKeysDocument>>
  readonly certificates: ReadonlyMap<string, Entry<CertificateDocument>>
  readonly clusters: ReadonlyMap<string, Entry<ClusterDocument>>
  readonly limits: ReadonlyMap<string, Entry<LimitDocument>>
  readonly deciders: ReadonlyMap<string, Entry<DeciderDocument>>
  readonly access: ReadonlyMap<string, Entry<AccessDocument>>
  readonly routes: ReadonlyMap<string, Entry<RouteDocument>>
  readonly callers: ReadonlyMap<string, Entry<CallerDocument>>
  readonly egress: ReadonlyMap<string, Entry<EgressDocument>>
}

/** The three fixed names, a kind each. */
interface ListenersByName extends ReadonlyMap<string, Entry<PublicListenerDocument | PlainListenerDocument | EgressListenerDocument>> {
  get(name: 'public'): Entry<PublicListenerDocument> | undefined
  get(name: 'egress'): Entry<EgressListenerDocument> | undefined
  get(name: string): Entry<PlainListenerDocument> | undefined
}
