import { beforeAll, describe, expect, it } from 'vitest'
import { untilTheEnd } from '../support/keep.ts'
import { journeys } from './cases.ts'
import { differences } from './differences.ts'
import { type House, openHouse } from './house.ts'
import { comparable, judge, walk } from './walk.ts'

const keep = untilTheEnd()
let house: House

beforeAll(async () => {
  house = await openHouse(keep)
})

const alike = journeys.filter(({ name }) => differences[name] === undefined)
const unlike = Object.entries(differences)

describe('a journey that is the same on both grounds', () => {
  it.each(alike.map((journey) => [journey.name, journey] as const))('%s', async (_name, journey) => {
    const onNode = await walk(house, 'node', journey)
    judge(onNode, journey)
    const onWorker = await walk(house, 'worker', journey)
    judge(onWorker, journey)
    expect(comparable(onWorker)).toEqual(comparable(onNode))
  })
})

describe('a journey that is known to differ', () => {
  it.each(unlike)('%s', async (name, difference) => {
    const journey = journeys.find((one) => one.name === name)
    if (journey === undefined) throw new Error('differences.ts names a journey that there is not')
    const onNode = await walk(house, 'node', journey)
    judge(onNode, journey)
    const onWorker = await walk(house, 'worker', journey)
    judge(onWorker, { ...journey, ...difference.worker })
    expect(comparable(onWorker), 'a difference that is gone must leave the list').not.toEqual(comparable(onNode))
  })
})
