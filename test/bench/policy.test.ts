import { expect, it } from 'vitest'
import { warmTokens } from '../../bench/policy/tokens.ts'

it('the bench of access asks for tokens that the room has verified before', async () => {
  const { ask, characters } = await warmTokens(2)
  expect(characters).toBeGreaterThan(500)
  expect(ask()).toMatchObject({ principal: { kind: 'subject', subject: 'subject-0' } })
})
