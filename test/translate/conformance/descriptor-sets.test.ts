import { expect, test } from 'vitest'
import { rpcsOf } from '../../../src/core/protobuf.ts'
import { diceOf } from '../../protobuf/dice.ts'
import { bookFrom } from '../../support/protos.ts'
import { caseOf } from './binding-requests.ts'
import { googleapis } from './googleapis.ts'
import { type Case, conform } from './house.ts'

/** Requests by each binding. */
const rounds = 2
const book = await bookFrom(googleapis)
const services = book.services.filter((name) => !name.startsWith('google.'))

function casesOf(service: string): readonly Case[] {
  const rpcs = rpcsOf(book, service)?.rpcs ?? []
  return rpcs.flatMap((rpc) =>
    rpc.bindings.flatMap((binding, at) =>
      Array.from({ length: rounds }, (_, round) => caseOf(diceOf(round * 7919 + at * 31 + rpc.path.length), book.registry, rpc, binding)),
    ),
  )
}

test('every annotation of the set is in order', () => {
  expect(services.flatMap((name) => rpcsOf(book, name)?.problems ?? [])).toEqual([])
  expect(services).toHaveLength(11)
})

conform('services the code has never seen', { protos: googleapis }, services.flatMap(casesOf))
