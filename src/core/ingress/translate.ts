import type { Steered, Translated } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'

export type Translate = (x: Steered) => Translated | Promise<Translated>
export declare function buildTranslate(policy: Policy): Translate
