/** The little of oidc-provider 9 that the tests use; the package has no types of its own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface Client {
    readonly clientId: string
    /** Sends a logout token to the client's `backchannel_logout_uri`. */
    backchannelLogout(subject: string, session: string): Promise<void>
  }

  export interface ResourceServer {
    readonly scope: string
  }

  /** What a handler of a grant type sees of the request (Koa's context). */
  export interface GrantContext {
    body: unknown
    readonly req: IncomingMessage
    readonly oidc: { readonly client: Client; readonly params: Readonly<Record<string, string | undefined>> }
  }

  export interface Token {
    scope: string | undefined
    resourceServer: ResourceServer
    readonly expiration: number
    readonly tokenType: string
    save(): Promise<string>
  }

  export interface Grant {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>)
    readonly issuer: string
    readonly AccessToken: new (
      facts: Readonly<Record<string, unknown>>,
    ) => Token
    readonly Grant: new (facts: {
      readonly accountId: string
      readonly clientId: string
    }) => Grant
    readonly Client: { find(id: string): Promise<Client | undefined> }
    readonly ResourceServer: new (
      identifier: string,
      facts: object,
    ) => ResourceServer
    callback(): (request: IncomingMessage, response: ServerResponse) => void
    registerGrantType(name: string, handler: (context: GrantContext) => Promise<void>, parameters: readonly string[]): void
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
    on(event: 'server_error', listener: (context: unknown, error: Error) => void): void
  }

  export const errors: { readonly InvalidGrant: new (message: string) => Error; readonly InvalidTarget: new (message: string) => Error }
}
