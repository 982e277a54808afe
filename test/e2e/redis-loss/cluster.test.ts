import { holdsWhenLost } from './holds.ts'

holdsWhenLost('cluster')
