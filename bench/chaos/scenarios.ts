import { endpoints } from './endpoints.ts'
import { redisLoss } from './redis-loss.ts'
import type { Scenario } from './scenario.ts'

/** Everything that `npm run chaos` does, in this order. A new scenario is one entry here. */
export const scenarios: readonly Scenario[] = [...redisLoss, ...endpoints]
