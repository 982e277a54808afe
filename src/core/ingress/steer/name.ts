import type { Destination } from '../../model/destination.ts'

/** `cluster` or `cluster/subset`. */
export function nameOf({ cluster, subset }: Destination): string {
  return subset === undefined ? cluster : `${cluster}/${subset}`
}
