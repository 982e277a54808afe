import { holdsWhenLost } from './holds.ts'

holdsWhenLost('sentinel')
