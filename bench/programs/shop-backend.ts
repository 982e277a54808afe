import { readFileSync } from 'node:fs'
import { startOrders } from '../../src/node/demo/mesh/orders.ts'
import { portArgument, untilInputEnds } from './until-input-ends.ts'

/* The demo's own Orders service, on grpc-js. Its second argument is the file of descriptors. */

await startOrders({ port: portArgument(), version: 'orders-v1', descriptors: readFileSync(process.argv[3] ?? '') })
untilInputEnds()
