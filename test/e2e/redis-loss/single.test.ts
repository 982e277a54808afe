import { holdsWhenLost } from './holds.ts'

holdsWhenLost('single')
