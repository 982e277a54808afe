import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import { fielded, hopAttacks, hopControls, ownAttacks, ownControls } from './fields.ts'
import { framed, framingAttacks, framingControls, upgradeAttacks, upgradeControls } from './framing.ts'
import { http2Attacks, http2Controls, multiplexed } from './http2.ts'

const house = atHouse(() => together(fielded, framed, multiplexed))

attackGroup('framing', house, framingControls, framingAttacks)
attackGroup('upgrades and methods', house, upgradeControls, upgradeAttacks)
attackGroup('fields of one hop', house, hopControls, hopAttacks)
attackGroup('what is the caller’s own, and the mesh’s', house, ownControls, ownAttacks)
attackGroup('HTTP/2', house, http2Controls, http2Attacks)
