import { answerAttacks, answerControls, answering, redirectAttacks, redirectControls } from './answers.ts'
import { atHouse, attackGroup } from './attack.ts'
import { allowAttacks, allowControls, allowing } from './calls.ts'
import { together } from './catalogue.ts'

const house = atHouse(() => together(allowing, answering))

attackGroup('calls that are not allowed', house, allowControls, allowAttacks)
attackGroup('answers of vendors', house, answerControls, answerAttacks)
attackGroup('redirects', house, redirectControls, redirectAttacks)
