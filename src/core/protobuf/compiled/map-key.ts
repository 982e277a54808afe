import { ScalarType } from '@bufbuild/protobuf'
import type { Json } from '../strict-json.ts'
import { giveUp } from './unfit.ts'

const plainInteger = /^(?:0|-?[1-9][0-9]{0,19})$/

/** What a member name stands for as the key of a map. Integers only in their one plain spelling, so that no two names are one key. */
export function mapKeyJson(type: ScalarType): (name: string) => Json {
  if (type === ScalarType.STRING) return (name) => name
  if (type === ScalarType.BOOL) return (name) => (name === 'true' ? true : name === 'false' ? false : giveUp())
  return (name) => (plainInteger.test(name) ? name : giveUp())
}
