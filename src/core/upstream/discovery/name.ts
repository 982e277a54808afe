import type { EndpointSource } from '../../policy/linked/endpoints.ts'

/** A source for people and for metrics: its kind, and what it is asked for. */
export function sourceName(source: EndpointSource): string {
  switch (source.kind) {
    case 'dns':
      return `dns ${source.name}:${source.port}`
    case 'srv':
      return `srv ${source.name}`
    case 'file':
      return `file ${source.path}`
    case 'consul':
      return ['consul', source.service, source.tag, source.datacenter].filter((part) => part !== undefined).join(' ')
    case 'kubernetes':
    default:
      return `kubernetes ${source.namespace}/${source.service}:${source.port}`
  }
}

/** The name of the whole service that a source speaks of, to check certificates against and to ask a sidecar for; undefined for a file. */
export function placeOf(source: EndpointSource): { readonly host: string; readonly port: number | undefined } | undefined {
  switch (source.kind) {
    case 'dns':
      return { host: source.name, port: source.port }
    case 'srv':
      // The labels of service and protocol (RFC 2782) are no part of a host name.
      return { host: source.name.replace(/^(?:_[^.]+\.)+/, ''), port: undefined }
    case 'consul':
      return { host: `${source.service}.service.consul`, port: undefined }
    case 'kubernetes':
      return { host: `${source.service}.${source.namespace}.svc`, port: typeof source.port === 'number' ? source.port : undefined }
    case 'file':
    default:
      return undefined
  }
}
