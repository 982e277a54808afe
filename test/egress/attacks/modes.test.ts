import { rmSync } from 'node:fs'
import { afterAll } from 'vitest'
import { atHouse, attackGroup } from './attack.ts'
import { together } from './catalogue.ts'
import { workload } from './house.ts'
import { folder, mockAttacks, mockControls, mockFile, recordAttacks, recordControls, replayAttacks, replayControls, taped } from './tapes.ts'

const house = atHouse(() => ({
  ...together(taped),
  callers: { [workload]: { listener: 'egress', mayChooseEnv: ['test'] } },
  variables: { SALLYPORT_CASSETTES: folder },
  files: { 'mocks/canned.yaml': mockFile },
}))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

attackGroup('what is recorded holds no secret', house, recordControls, recordAttacks)
attackGroup('what was not recorded is not called', house, replayControls, replayAttacks)
attackGroup('what is canned', house, mockControls, mockAttacks)
