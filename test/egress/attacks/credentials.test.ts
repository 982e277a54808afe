import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import { echoAttacks, echoControls, echoing, tokenEchoes } from './echoes.ts'

const house = atHouse(() => together(echoing))

attackGroup('credentials that a vendor says again', house, echoControls, echoAttacks)
attackGroup('tokens that a vendor says again', house, echoControls.slice(0, 2), tokenEchoes)
