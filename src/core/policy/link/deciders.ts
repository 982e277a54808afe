import type { ClusterDocument } from '../document/clusters.ts'
import type { DeciderDocument } from '../document/deciders.ts'
import type { Decider, DeciderPart, DecisionPoint } from '../linked/deciders.ts'
import type { Path } from '../read/node.ts'
import { type Entry, isSaid, isWhole, type Linking, refer, refuse, warn } from './linking.ts'
import { after, ms } from './values.ts'

/** Facts that say who is asking. */
const who = /^(?:issuer|subject|clientId|scopes|token|claim\..*)$/

/** Facts that plain HTTP has a place for. */
const overHttp = /^(?:method|path|query|host|client\.address|token|header\..*)$/

/** Names that frame or route a request, are credentials, or are the gateway's own. */
const reserved =
  /^(?:authorization|connection|content-.*|cookie|dpop|expect|forwarded|grpc-.*|host|keep-alive|proxy-.*|te|trailer|traceparent|tracestate|transfer-encoding|upgrade|b3|x-b3-.*|x-egress-.*|x-envoy-.*|x-forwarded-.*|x-real-ip|x-request-id|x-sallyport-.*|l5d-.*|.*-bin)$/

/** Checks and links the decision points. A broken one is left out: whatever asks it is quarantined. */
export function linkDeciders(
  linking: Linking,
  entries: ReadonlyMap<string, Entry<DeciderDocument>>,
  clusters: ReadonlyMap<string, Entry<ClusterDocument>>,
): readonly Decider[] {
  return Array.from(entries.values(), (entry) => linkDecider(linking, entry, clusters)).filter((decider) => decider !== undefined)
}

function linkDecider(linking: Linking, entry: Entry<DeciderDocument>, clusters: ReadonlyMap<string, Entry<ClusterDocument>>): Decider | undefined {
  const { name, value = {} } = entry
  const point = linkPoint(linking, entry, clusters)
  checkKey(linking, entry)
  checkRisks(linking, entry)
  if (point === undefined || value.send === undefined) return undefined
  if (point.kind === 'extAuthz') checkExtAuthz(linking, entry, point.protocol)
  return {
    name,
    point,
    send: value.send.map(linkPart),
    key: (value.cache?.key ?? value.send).map(linkPart),
    timeoutMs: ms(value.timeout ?? ''),
    onFailure: value.onFailure ?? 'deny',
    mode: value.mode ?? 'enforce',
    showReason: value.showReason ?? false,
    cache: { allowMs: ms(value.cache?.allow ?? ''), denyMs: ms(value.cache?.deny ?? ''), staleForMs: ms(value.cache?.staleFor ?? '') },
  }
}

function linkPoint(linking: Linking, entry: Entry<DeciderDocument>, clusters: ReadonlyMap<string, Entry<ClusterDocument>>): DecisionPoint | undefined {
  const { opa, extAuthz } = entry.value ?? {}
  if (isSaid(entry, ['opa']) === isSaid(entry, ['extAuthz'])) {
    refuse(linking, entry, [], {
      code: 'decider_shape',
      message: `The decision point "${entry.name}" is exactly one of opa and extAuthz.`,
      hint: 'Write opa: { url: …, path: … }, or extAuthz: { cluster: … }.',
    })
    return undefined
  }
  if (opa !== undefined) return linkOpa(linking, entry, opa, clusters)
  if (extAuthz?.cluster === undefined) return undefined
  refer(linking, entry, ['extAuthz', 'cluster'], 'clusters', extAuthz.cluster)
  const protocol = protocolOf(clusters, extAuthz.cluster) === 'grpc' ? 'grpc' : 'http'
  const { cluster, pathPrefix, keepStatus, upstreamHeaders } = extAuthz
  return { kind: 'extAuthz', protocol, cluster, pathPrefix, keepStatus, upstreamHeaders }
}

function linkOpa(
  linking: Linking,
  entry: Entry<DeciderDocument>,
  { url, cluster, path }: NonNullable<DeciderDocument['opa']>,
  clusters: ReadonlyMap<string, Entry<ClusterDocument>>,
): DecisionPoint | undefined {
  if ((url === undefined) === (cluster === undefined) && isWhole(entry, 'opa'))
    refuse(linking, entry, ['opa'], {
      code: 'decider_shape',
      message: 'OPA is at exactly one of url and cluster.',
      hint: 'Write url: https://opa.example.com, or cluster: with the name of one.',
      which: 'key',
    })
  if (cluster !== undefined && refer(linking, entry, ['opa', 'cluster'], 'clusters', cluster) && protocolOf(clusters, cluster) === 'grpc')
    refuse(linking, entry, ['opa', 'cluster'], {
      code: 'decider_protocol',
      message: `OPA's data API is HTTP, and the cluster "${cluster}" speaks grpc.`,
      hint: "Use a cluster with protocol: http; OPA's Envoy plugin is asked with extAuthz.",
    })
  if (url !== undefined) return { kind: 'opa', at: { url: url.replace(/\/+$/, '') }, path }
  return cluster === undefined ? undefined : { kind: 'opa', at: { cluster }, path }
}

function protocolOf(clusters: ReadonlyMap<string, Entry<ClusterDocument>>, name: string): ClusterDocument['protocol'] | undefined {
  return clusters.get(name)?.value?.protocol
}

function checkExtAuthz(linking: Linking, entry: Entry<DeciderDocument>, protocol: 'grpc' | 'http'): void {
  const { extAuthz, send = [] } = entry.value ?? {}
  if (protocol === 'grpc' && isSaid(entry, ['extAuthz', 'pathPrefix']))
    warn(linking, entry, ['extAuthz', 'pathPrefix'], {
      code: 'no_effect',
      message: '"pathPrefix" is for HTTP, and this cluster speaks grpc.',
      hint: 'Remove it.',
      which: 'key',
    })
  for (const [i, part] of protocol === 'http' ? send.entries() : []) {
    if (overHttp.test(part)) continue
    refuse(linking, entry, ['send', i], {
      code: 'decider_part',
      message: `External authorization over HTTP has no place for "${part}".`,
      hint: 'Send method, path, query, host, client.address, headers and the token; or ask over grpc.',
    })
  }
  const sent = new Set(send)
  for (const [i, header] of (extAuthz?.upstreamHeaders ?? []).entries()) {
    const path: Path = ['extAuthz', 'upstreamHeaders', i]
    if (reserved.test(header))
      refuse(linking, entry, path, {
        code: 'header_refused',
        message: `A decision point cannot give the header ${header}.`,
        hint: 'Use a header of your own, such as x-user-tier.',
      })
    else if (sent.has(`header.${header}`))
      refuse(linking, entry, path, {
        code: 'header_refused',
        message: `The header ${header} is removed from every request, because only the decision point may give it: there is nothing to send.`,
        hint: 'Take it out of send, or out of upstreamHeaders.',
      })
  }
}

function checkKey(linking: Linking, entry: Entry<DeciderDocument>): void {
  const { send, cache } = entry.value ?? {}
  const key = cache?.key
  if (send === undefined || key === undefined || !isWhole(entry, 'send')) return
  for (const [i, part] of key.entries()) {
    if (send.includes(part)) continue
    refuse(linking, entry, ['cache', 'key', i], {
      code: 'key_unsent',
      message: `"${part}" is not sent, so no answer depends on it.`,
      hint: 'Add it to send, or take it out of the key.',
    })
  }
  const left = send.filter((part) => !key.includes(part) && who.test(part))
  if (left.length > 0 && isWhole(entry, 'cache'))
    warn(linking, entry, ['cache', 'key'], {
      code: 'key_shares',
      message: `Answers are shared between principals: the key leaves out ${left.join(', ')}.`,
      hint: 'Keep it only where the answer does not depend on who asks.',
      which: 'key',
    })
}

/** What lets pass more than a decision point that answers would. */
function checkRisks(linking: Linking, entry: Entry<DeciderDocument>): void {
  if (entry.value?.onFailure !== 'allow') return
  warn(linking, entry, ['onFailure'], {
    code: 'decider_fails_open',
    message: `While "${entry.name}" does not answer, every request that the rules allow passes.`,
    hint: 'Keep it only where that is wanted; otherwise write deny.',
  })
}

function linkPart(text: string): DeciderPart {
  const claim = after(text, 'claim.')
  if (claim !== undefined) return { kind: 'claim', path: claim }
  const header = after(text, 'header.')
  if (header !== undefined) return { kind: 'header', name: header }
  // The cast is safe: the schema's pattern lists these words and the two prefixes above.
  return { kind: text as Exclude<DeciderPart['kind'], 'claim' | 'header'> }
}
