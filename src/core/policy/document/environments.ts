import * as z from 'zod'
import { describe } from './build.ts'

export const environment = z.strictObject({
  class: describe(z.enum(['nonprod', 'prod']), 'A nonprod process can never reach a prod target, whatever anybody says.'),
})

export type EnvironmentDocument = z.output<typeof environment>
