import type { Peer } from './model.ts'
import { grpcJs, undiciProxy } from './peers/baselines.ts'
import { nginx, nginxPlain } from './peers/nginx.ts'
import { sallyport, sallyportJwt, sallyportTranscode } from './peers/sallyport.ts'

/** Every program that can be measured. A new one is one entry here. */
export const peers: readonly Peer[] = [sallyport, sallyportJwt, nginx, nginxPlain, undiciProxy, sallyportTranscode, grpcJs]
