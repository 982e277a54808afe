import { withResourceMetadata } from '../../model/challenge.ts'
import { FieldList } from '../../model/fields.ts'
import { resourceMetadataUrl } from '../../model/resource-metadata.ts'
import type { Route } from '../../model/route.ts'
import type { Outbound } from '../../model/wire.ts'
import type { Policy } from '../../policy/policy.ts'

/** The answer with the route's resource named in every Bearer and DPoP challenge of it (RFC 9728 section 5.1). */
export type NameResource = <A extends Outbound>(route: Route | undefined, answer: A) => A

export function buildNameResource(policy: Policy): NameResource {
  const urls = new Map(Object.values(policy.resources).map(({ name, url }) => [name, resourceMetadataUrl(url)]))
  return (route, answer) => {
    const url = route?.resource === undefined ? undefined : urls.get(route.resource)
    if (url === undefined || !answer.headers.has('www-authenticate')) return answer
    const headers = new FieldList()
    answer.headers.each((name, value) => headers.append(name, name === 'www-authenticate' ? withResourceMetadata(value, url) : value))
    return { ...answer, headers }
  }
}
