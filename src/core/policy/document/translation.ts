import * as z from 'zod'
import { defaulted, describe, section } from './build.ts'
import { headerName } from './fields.ts'

const headerList = z
  .string()
  .regex(/^[a-z0-9!#$%&'+.^_`|~-]{1,128}\*?$/)
  .meta({ title: 'header name in lower case, or the beginning of some', examples: ['x-request-id', 'x-shop-*'] })

/** How JSON and gRPC meet on a route. */
export const translation = section(
  {
    unknownQuery: defaulted(
      z.union([z.enum(['reject', 'ignore']), z.array(z.string().min(1)).min(1)]),
      'routes.translate.unknownQuery',
      'Query parameters that no field takes: refused, ignored, or ignored when listed.',
    ),
    emitDefaults: defaulted(z.boolean(), 'routes.translate.emitDefaults', 'Write fields that have their default value.'),
    enumsAsInts: defaulted(z.boolean(), 'routes.translate.enumsAsInts', 'Write enums as numbers.'),
    protoNames: defaulted(z.boolean(), 'routes.translate.protoNames', 'Write field names as in the .proto file.'),
    ignoreUnknownFields: defaulted(z.boolean(), 'routes.translate.ignoreUnknownFields', 'Skip members of a body that no field takes.'),
    head: defaulted(z.enum(['refuse', 'fromGet']), 'routes.translate.head', 'fromGet: HEAD takes the GET bindings, and is answered without a body.'),
    requestHeaders: defaulted(
      z.array(headerList),
      'routes.translate.requestHeaders',
      'Request headers that become metadata under their own name; * at the end of one stands for the rest.',
    ),
    responseHeaders: defaulted(
      z.array(headerList),
      'routes.translate.responseHeaders',
      'Metadata and trailers that become headers of the answer under their own name; * at the end of one stands for the rest.',
    ),
    statusFrom: describe(headerName.optional(), 'Metadata of a unary answer whose value is its HTTP status, 2xx or 3xx; without it the status is 200.'),
    etag: defaulted(
      z.union([z.boolean(), z.literal('bare')]),
      'routes.translate.etag',
      'The string field etag of messages is the entity tag: ETag, If-None-Match and If-Match. true: with its quotes (AIP-154); bare: without.',
    ),
    queryMaps: defaulted(z.boolean(), 'routes.translate.queryMaps', 'Map fields bind from the query as field[key]=value.'),
    unexpectedBody: defaulted(z.enum(['ignore', 'reject']), 'routes.translate.unexpectedBody', 'What becomes of a body where the rule has no place for one.'),
    emptyAnswer: defaulted(z.union([z.literal(200), z.literal(204)]), 'routes.translate.emptyAnswer', 'Status of an answer that is google.protobuf.Empty.'),
    showInternal: defaulted(z.boolean(), 'routes.translate.showInternal', 'Show the messages and details of INTERNAL and UNKNOWN.'),
  },
  'How JSON and gRPC meet on a grpc route.',
)
