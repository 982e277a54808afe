import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import * as dev from './environments.ts'
import { prod, prodAttacks, prodCallers, prodControls } from './production.ts'
import { switchAttacks, switchControls, switching } from './switches.ts'

const house = atHouse(() => {
  const { services, zones } = together(dev.nonprod, switching)
  return { zones, services: { ...services, ...dev.fixed }, callers: dev.callers, variables: dev.keyVariables }
})
const production = atHouse(() => ({ ...together(prod), environment: 'prod', callers: prodCallers }))

attackGroup('which environment', house, dev.choiceControls, dev.choiceAttacks)
attackGroup('from nonprod to production', house, dev.crossingControls, dev.crossingAttacks)
attackGroup('keys of the wrong environment', house, dev.keyControls, dev.keyAttacks)
attackGroup('connections of another environment', house, dev.socketControls, dev.socketAttacks)
attackGroup('switches at run time', house, switchControls, switchAttacks)
attackGroup('a process of production', production, prodControls, prodAttacks)
