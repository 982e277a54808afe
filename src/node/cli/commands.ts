import type { Command } from './command.ts'
import { check } from './commands/check.ts'
import { debugToken } from './commands/debug-token.ts'
import { demo } from './commands/demo.ts'
import { describe } from './commands/describe.ts'
import { diff } from './commands/diff.ts'
import { egressExplain } from './commands/egress-explain.ts'
import { egressList } from './commands/egress-list.ts'
import { egressSwitch } from './commands/egress-switch.ts'
import { explain } from './commands/explain.ts'
import { keysCreate } from './commands/keys-create.ts'
import { keysList } from './commands/keys-list.ts'
import { keysRevoke } from './commands/keys-revoke.ts'
import { keysRotate } from './commands/keys-rotate.ts'
import { keysShow } from './commands/keys-show.ts'
import { limitsReset } from './commands/limits-reset.ts'
import { limitsShow } from './commands/limits-show.ts'
import { openapi } from './commands/openapi.ts'
import { protoBuild } from './commands/proto-build.ts'
import { protoPull } from './commands/proto-pull.ts'
import { revoke } from './commands/revoke.ts'
import { schema } from './commands/schema.ts'
import { serve } from './commands/serve.ts'
import { test } from './commands/test.ts'
import { workerBundle } from './commands/worker-bundle.ts'

/** Every command, in the order the overview lists them. */
export const commands: readonly Command[] = [
  serve,
  check,
  test,
  explain,
  describe,
  diff,
  schema,
  openapi,
  protoPull,
  protoBuild,
  egressList,
  egressExplain,
  egressSwitch,
  debugToken,
  keysCreate,
  keysList,
  keysShow,
  keysRotate,
  keysRevoke,
  revoke,
  limitsShow,
  limitsReset,
  workerBundle,
  demo,
]
