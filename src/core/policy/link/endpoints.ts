import { isLoopbackHost } from '../../net.ts'
import type { ClusterDocument, WhereDocument } from '../document/clusters.ts'
import type { EndpointsDocument } from '../document/endpoints.ts'
import { parseHttpUrl } from '../document/fields.ts'
import type { EndpointSource, Endpoints, ShrinkRule, StaticAddress } from '../linked/endpoints.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isSaid, isWhole, type Linking, refuse, warn } from './linking.ts'
import { addressOf, after, ms, share } from './values.ts'

const kinds = ['static', 'file', 'dns', 'srv', 'consul', 'kubernetes'] as const
const rules = ['shrink', 'confirm', 'empty'] as const

/** Where a cluster or subset is; undefined when it does not say, or not rightly. */
export function linkEndpoints(linking: Linking, entry: Entry<ClusterDocument>, where: Partial<WhereDocument>, path: Path): Endpoints | undefined {
  const { address, endpoints } = where
  if (isSaid(entry, [...path, 'address']) && isSaid(entry, [...path, 'endpoints']))
    refuse(linking, entry, [...path, 'endpoints'], {
      code: 'endpoints_twice',
      message: 'address and endpoints exclude each other.',
      hint: 'Keep one of them.',
      which: 'key',
    })
  if (address !== undefined) return { kind: 'static', addresses: [staticAddress({ address, weight: 1 })] }
  if (endpoints === undefined) return undefined
  const inside = [...path, 'endpoints']
  if (isWhole(entry, inside.join('.'))) checkShape(linking, entry, endpoints, inside)
  if (endpoints.static !== undefined)
    return { kind: 'static', addresses: endpoints.static.map((one) => staticAddress(typeof one === 'string' ? { address: one, weight: 1 } : one)) }
  const source = sourceOf(endpoints)
  if (source === undefined) return undefined
  const shrinking = ruleOf(endpoints)
  checkRisks(linking, entry, source, shrinking, inside)
  return { ...source, shrinking }
}

function checkShape(linking: Linking, entry: Entry<ClusterDocument>, endpoints: EndpointsDocument, path: Path): void {
  const said = kinds.filter((kind) => endpoints[kind] !== undefined)
  if (said.length !== 1 || (endpoints.dns === undefined) !== (endpoints.port === undefined))
    refuse(linking, entry, path, {
      code: 'endpoints_shape',
      message: 'endpoints is exactly one of static, file, dns with port, srv, consul and kubernetes.',
      hint: 'Write { static: [host:port, …] }, { dns: name, port: 8080 }, { srv: name }, { file: /path }, { consul: { … } } or { kubernetes: { … } }.',
      which: 'key',
    })
  if (endpoints.static === undefined) return
  for (const rule of rules.filter((name) => isSaid(entry, [...path, name])))
    warn(linking, entry, [...path, rule], {
      code: 'no_effect',
      message: `"${rule}" has no effect on endpoints that are fixed.`,
      hint: 'Remove it.',
      which: 'key',
    })
}

function sourceOf({ file, dns, port, srv, consul, kubernetes }: EndpointsDocument): EndpointSource | undefined {
  if (file !== undefined) return { kind: 'file', path: file }
  if (dns !== undefined && port !== undefined) return { kind: 'dns', name: dns, port }
  if (srv !== undefined) return { kind: 'srv', name: srv }
  if (consul !== undefined) {
    const { address, service, tag, datacenter, token, ca, passing, stale } = consul
    return { kind: 'consul', address: withoutSlash(address), service, tag, datacenter, token, ca, passing, stale }
  }
  if (kubernetes === undefined) return undefined
  const { apiServer, namespace, service, token, ca } = kubernetes
  return { kind: 'kubernetes', apiServer: withoutSlash(apiServer), namespace, service, port: kubernetes.port, token, ca }
}

function ruleOf({ shrink, confirm, empty }: EndpointsDocument): ShrinkRule {
  return { share: share(shrink), confirmMs: ms(confirm), empty }
}

function checkRisks(linking: Linking, entry: Entry<ClusterDocument>, source: EndpointSource, rule: ShrinkRule, path: Path): void {
  if (rule.share >= 1)
    warn(linking, entry, [...path, 'shrink'], {
      code: 'endpoints_shrink',
      message: 'With shrink: 100% all endpoints but one may go at once, on one wrong answer of the source.',
      hint: 'Write a smaller share; what is gone for good goes after confirm in any case.',
    })
  if (source.kind !== 'consul' || source.token === undefined) return
  const url = parseHttpUrl(source.address)
  if ('problem' in url || url.scheme === 'https' || isLoopbackHost(url.host)) return
  warn(linking, entry, [...path, 'consul', 'address'], {
    code: 'endpoints_clear_token',
    message: 'The token is sent to this address in clear text.',
    hint: 'Write an https address, or ask an agent on this machine.',
  })
}

function withoutSlash(address: string): string {
  return address.replace(/\/+$/, '')
}

interface Written {
  readonly address: string
  readonly weight: number
  readonly zone?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
}

function staticAddress({ address, weight, zone, labels }: Written): StaticAddress {
  const path = after(address, 'unix:')
  const facts = { weight, ...(zone !== undefined && { zone }), ...(labels !== undefined && { labels }) }
  return path === undefined ? { kind: 'tcp', ...addressOf(address), ...facts } : { kind: 'unix', path, ...facts }
}
