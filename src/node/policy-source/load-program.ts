import type { LoadedFolder, LoadRequest } from './load-folder.ts'

// The program of one load: the first message is a LoadRequest, its own only message the LoadedFolder.
process.once('message', (request: LoadRequest) => void answer(request))
// Nobody is left to hear it, or it has been heard.
process.once('disconnect', () => process.exit())
// What is told to the whole group, as a terminal or a service manager does, is for the gateway: it ends this when it ends.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})

async function answer(request: LoadRequest): Promise<void> {
  // After the above, which must hold while this is read.
  const { loadFolder } = await import('./load-folder.ts')
  const loaded = await loadFolder(request)
  // Where each value came from is for `describe`, which loads in its own process; it would be most of the message.
  const message: LoadedFolder = { ...loaded, origins: {} }
  process.send?.(message, undefined, undefined, () => process.disconnect())
}
