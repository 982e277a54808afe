import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import { fielded, hopAttacks, hopControls, ownAttacks, ownControls } from './fields.ts'
import { framed, framingAttacks, framingControls, upgradeAttacks, upgradeControls } from './framing.ts'

const house = atHouse(() => together(fielded, framed))

attackGroup('framing', house, framingControls, framingAttacks)
attackGroup('upgrades and methods', house, upgradeControls, upgradeAttacks)
attackGroup('fields of one hop', house, hopControls, hopAttacks)
attackGroup('what is the caller’s own, and the mesh’s', house, ownControls, ownAttacks)
