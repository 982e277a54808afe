import { absolute, absoluteAttacks, absoluteControls, proxyListener } from './absolute-forms.ts'
import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'

const house = atHouse(() => ({ ...together(absolute), listeners: proxyListener }))

attackGroup('absolute-form', house, absoluteControls, absoluteAttacks)
