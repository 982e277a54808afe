import { buildMatch } from '../../src/core/ingress/match.ts'
import { buildReceive } from '../../src/core/ingress/receive.ts'
import { type Arrival, type Introduced, openExchange } from '../../src/core/model/exchange.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { anonymous } from '../../src/core/model/principal.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { Fields } from '../../src/core/model/wire.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { type DescriptorBook, readDescriptors, rpcsOf } from '../../src/core/protobuf.ts'
import { fakePorts } from './ports.ts'
import { testPolicy, testRoute } from './routes.ts'

/** A policy whose one route takes the named services of a descriptor set, over a gRPC cluster. */
export function grpcPolicy(descriptors: Uint8Array, services: readonly string[], given: Partial<Omit<Route, 'name' | 'match'>> = {}): Policy {
  const book = readDescriptors(descriptors)
  if ('problem' in book) throw new Error(book.problem)
  const routes = services.map((service) => testRoute(service, { grpc: { service, rpcs: rpcs(book, service), descriptors: 'test.binpb' } }, given))
  return testPolicy({ routes, descriptors: { 'test.binpb': descriptors } })
}

function rpcs(book: DescriptorBook, service: string) {
  const found = rpcsOf(book, service)
  if (found === undefined || found.problems.length > 0) throw new Error(`${service}: ${JSON.stringify(found?.problems)}`)
  return found.rpcs
}

/** The exchange as `hand-on` leaves it: received and matched by the real rooms, then given what the test says. */
export function steered(policy: Policy, arrival: Arrival, given: Partial<Introduced> = {}): Introduced {
  const ports = fakePorts()
  const matched = buildMatch(policy)(buildReceive(policy, ports)(openExchange(arrival, policy.revision)))
  const facts = {
    principal: anonymous,
    readings: [],
    destination: { cluster: 'backend', subset: undefined },
    steering: { by: 'only', bucket: 0 },
    introduction: undefined,
    ...given,
  }
  // The permit is minted by `authorize` alone; nothing under test reads it.
  return Object.assign(matched, facts) as unknown as Introduced
}

/** All fields by name, values joined with commas. */
export function fieldsOf(fields: Fields | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...new Set([...(fields ?? new FieldList()).entries()].map(([name]) => name))].map((name) => [name, fields?.all(name).join(',') ?? '']),
  )
}
