import { parentPort, workerData } from 'node:worker_threads'
import { type LoadedFolder, type LoadRequest, loadFolder } from './load-folder.ts'

// The thread of one load: its data is a LoadRequest, its only message the LoadedFolder.
const request: LoadRequest = workerData
const loaded = await loadFolder(request)
// Where each value came from is for `describe`, which loads in its own thread; it would be most of the message.
const message: LoadedFolder = { ...loaded, origins: {} }
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker thread has no origin
parentPort?.postMessage(message)
