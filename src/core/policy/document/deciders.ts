import * as z from 'zod'
import { defaulted, describe, overridable, section } from './build.ts'
import { durationBetween, headerName, name, safeUrl } from './fields.ts'

/** The credential goes out as `token` alone, so that it is never sent by the way. */
const part = z
  .string()
  .regex(
    /^(?:method|path|query|host|route|rpc|params|issuer|subject|clientId|scopes|client\.address|token|claim\.[^\s]{1,200}|header\.(?!(?:authorization|proxy-authorization|dpop)$)[a-z0-9!#$%&'*+.^_`|~-]{1,128})$/,
  )
  .meta({
    title: 'fact of a request',
    examples: [
      'method',
      'path',
      'query',
      'host',
      'route',
      'rpc',
      'params',
      'issuer',
      'subject',
      'clientId',
      'scopes',
      'client.address',
      'claim.tenant',
      'header.x-tenant',
      'token',
    ],
  })

const parts = z.array(part).min(1)
const held = durationBetween('0s', '1h')

const opa = z.strictObject({
  url: describe(overridable(safeUrl).optional(), 'Where OPA answers, before /v1/data; or cluster.'),
  cluster: describe(name.optional(), 'The cluster that OPA is, in place of url.'),
  path: describe(
    z
      .string()
      .regex(/^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/)
      .meta({ title: 'package path', examples: ['sallyport/allow'] }),
    'The rule whose value decides, with slashes: true, or { allow, reason, ttl }.',
  ),
})

const extAuthz = z.strictObject({
  cluster: describe(name, 'The cluster that answers: the v3 gRPC service where it speaks grpc, else plain HTTP.'),
  pathPrefix: defaulted(
    z
      .string()
      .regex(/^(?:\/[A-Za-z0-9._~-]+)*$/)
      .meta({ title: 'path prefix', examples: ['/check'] }),
    'deciders.extAuthz.pathPrefix',
    'Before the path of the request, over HTTP.',
  ),
  keepStatus: defaulted(z.boolean(), 'deciders.extAuthz.keepStatus', 'A denial with 401 is answered with 401; otherwise every denial is 403.'),
  upstreamHeaders: defaulted(
    z.array(headerName),
    'deciders.extAuthz.upstreamHeaders',
    'Headers that it may give to the upstream; always removed from every request first.',
  ),
})

export const decider = z.strictObject({
  opa: describe(opa.optional(), 'Open Policy Agent, by its data API. Exactly one of opa and extAuthz.'),
  extAuthz: describe(extAuthz.optional(), "A server of Envoy's external authorization (v3)."),
  send: describe(parts, 'What it is told of a request, and nothing else.'),
  timeout: defaulted(overridable(durationBetween('1ms', '10s')), 'deciders.timeout', 'Time for the whole answer; what takes longer has failed.'),
  onFailure: defaulted(z.enum(['deny', 'allow']), 'deciders.onFailure', 'What it means that nobody answers.'),
  mode: defaulted(z.enum(['enforce', 'audit']), 'deciders.mode', 'audit: asked and recorded, never enforced.'),
  showReason: defaulted(z.boolean(), 'deciders.showReason', 'Show its reason to the refused caller.'),
  cache: section(
    {
      allow: defaulted(held, 'deciders.cache.allow', 'How long a permission holds.'),
      deny: defaulted(held, 'deciders.cache.deny', 'How long a denial holds.'),
      staleFor: defaulted(durationBetween('0s', '24h'), 'deciders.cache.staleFor', 'How much longer an answer holds while nobody answers.'),
      key: describe(parts.optional(), 'By which of the facts sent answers are remembered; without it by all.'),
    },
    'How answers are remembered.',
  ),
})

export type DeciderDocument = z.output<typeof decider>
