import { parentPort, workerData } from 'node:worker_threads'
import { type LoadRequest, loadFolder } from './load-folder.ts'

// The thread of one load: its data is a LoadRequest, its only message the LoadedFolder.
const request: LoadRequest = workerData
const loaded = await loadFolder(request)
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker thread has no origin
parentPort?.postMessage(loaded)
