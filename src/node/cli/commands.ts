import type { Command } from './command.ts'

/** Every command by its name, in the order the overview lists them. Each is read only when it is asked for: what one needs, the others need not load. */
const doors: readonly (readonly [name: string, open: () => Promise<Command>])[] = [
  ['serve', async () => (await import('./commands/serve.ts')).serve],
  ['check', async () => (await import('./commands/check.ts')).check],
  ['test', async () => (await import('./commands/test.ts')).test],
  ['explain', async () => (await import('./commands/explain.ts')).explain],
  ['describe', async () => (await import('./commands/describe.ts')).describe],
  ['diff', async () => (await import('./commands/diff.ts')).diff],
  ['schema', async () => (await import('./commands/schema.ts')).schema],
  ['openapi', async () => (await import('./commands/openapi.ts')).openapi],
  ['proto pull', async () => (await import('./commands/proto-pull.ts')).protoPull],
  ['proto build', async () => (await import('./commands/proto-build.ts')).protoBuild],
  ['egress list', async () => (await import('./commands/egress-list.ts')).egressList],
  ['egress explain', async () => (await import('./commands/egress-explain.ts')).egressExplain],
  ['egress switch', async () => (await import('./commands/egress-switch.ts')).egressSwitch],
  ['debug-token', async () => (await import('./commands/debug-token.ts')).debugToken],
  ['keys create', async () => (await import('./commands/keys-create.ts')).keysCreate],
  ['keys list', async () => (await import('./commands/keys-list.ts')).keysList],
  ['keys show', async () => (await import('./commands/keys-show.ts')).keysShow],
  ['keys rotate', async () => (await import('./commands/keys-rotate.ts')).keysRotate],
  ['keys revoke', async () => (await import('./commands/keys-revoke.ts')).keysRevoke],
  ['revoke', async () => (await import('./commands/revoke.ts')).revoke],
  ['limits show', async () => (await import('./commands/limits-show.ts')).limitsShow],
  ['limits reset', async () => (await import('./commands/limits-reset.ts')).limitsReset],
  ['worker bundle', async () => (await import('./commands/worker-bundle.ts')).workerBundle],
  ['demo', async () => (await import('./commands/demo.ts')).demo],
]

export const commandNames: readonly string[] = doors.map(([name]) => name)

/** Undefined: there is no such command. */
export async function findCommand(name: string): Promise<Command | undefined> {
  return doors.find(([known]) => known === name)?.[1]()
}

/** Every command, or only those whose name fits. */
export function readCommands(fits: (name: string) => boolean = () => true): Promise<readonly Command[]> {
  return Promise.all(doors.filter(([name]) => fits(name)).map(([, open]) => open()))
}
