import { guarded, type Part } from './house.ts'
import type { Zone } from './world.ts'

/** The services and names of a house, as tables ask for them: each gets one of its own. */
export interface Catalogue {
  readonly services: Readonly<Record<string, Part>>
  readonly zones: Readonly<Record<string, Zone>>
  /** A service in dev, at https://NAME.vendor.example, which leads there. Answers its name. */
  leading(zone: Zone, target?: Part, service?: Part): string
  /** A service in dev at this URL. */
  at(url: string, target?: Part, service?: Part): string
  /** A service as it is. */
  add(service: Part): string
  /** What a name leads to. */
  zone(name: string, zone: Zone): void
}

export function openCatalogue(prefix: string, environment = 'dev'): Catalogue {
  const services: Record<string, Part> = {}
  const zones: Record<string, Zone> = {}
  const add = (service: Part) => {
    const name = `${prefix}${Object.keys(services).length + 1}`
    services[name] = service
    return name
  }
  const at = (url: string, target: Part = {}, service: Part = {}) => add({ environments: { [environment]: guarded(url, target) }, ...service })
  return {
    services,
    zones,
    add,
    at,
    leading(zone, target, service) {
      const host = `${prefix}${Object.keys(services).length + 1}.vendor.example`
      zones[host] = zone
      return at(`https://${host}`, target, service)
    },
    zone: (name, zone) => void Object.assign(zones, { [name]: zone }),
  }
}

/** The houses of two catalogues in one. */
export function together(...all: readonly Catalogue[]): { readonly services: Record<string, Part>; readonly zones: Record<string, Zone> } {
  return { services: Object.assign({}, ...all.map(({ services }) => services)), zones: Object.assign({}, ...all.map(({ zones }) => zones)) }
}
