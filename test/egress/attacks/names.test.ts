import { atHouse, attackGroup } from './attack.ts'
import { called, callerAttacks, callerControls, callerSections, keySet, tokenCallers } from './callers.ts'
import { together } from './catalogue.ts'
import { hostAttacks, hostControls, hosted } from './hosts.ts'
import { aliasAttacks, aliasControls, rebindingAttacks, rebindingControls, rebound, tokenAttacks, tokenControls } from './rebinding.ts'

const house = atHouse(() => together(hosted, rebound))
const withTokens = atHouse(() => ({ ...together(called), callers: tokenCallers, sections: callerSections, keySet }))

attackGroup('names that workloads say', house, hostControls, hostAttacks)
attackGroup('names whose answers change', house, rebindingControls, rebindingAttacks)
attackGroup('names that stand for names inside', house, aliasControls, aliasAttacks)
attackGroup('token endpoints', house, tokenControls, tokenAttacks)
attackGroup('who calls', withTokens, callerControls, callerAttacks)
