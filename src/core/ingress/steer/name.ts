import type { Destination } from '../../model/route.ts'

/** `cluster` or `cluster/subset`. */
export function nameOf({ cluster, subset }: Destination): string {
  return subset === undefined ? cluster : `${cluster}/${subset}`
}
