import { rmSync } from 'node:fs'
import { afterAll } from 'vitest'
import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import { fixedStores, keys, storeAttacks, storeCallers, storeControls, storedSecrets, storeVariables, storing } from './stores.ts'
import { vendAttacks, vendControls } from './vending.ts'

const house = atHouse(() => {
  const { zones } = together(storing)
  return { zones, services: fixedStores, callers: storeCallers, variables: storeVariables }
})
afterAll(() => rmSync(keys, { recursive: true, force: true }))

attackGroup('answers that are stored', house, storeControls, [...storeAttacks, ...storedSecrets])
attackGroup('credentials that are handed out', house, vendControls, vendAttacks)
