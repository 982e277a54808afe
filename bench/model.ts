/** A duty of a gateway; the columns of the feature matrix. */
export type Feature = 'route' | 'jwt' | 'policy' | 'limit' | 'record' | 'metrics' | 'ids'

/** Every duty, in the order it is printed, and what having it means. */
export const features: Readonly<Record<Feature, string>> = {
  route: 'matches the path against a table and refuses what is not in it',
  jwt: 'checks a signed bearer token (refusing a request without one is tested before timing)',
  policy: 'decides by rules: scopes and a CEL condition',
  limit: 'counts the request against a rate limit (one that is never reached)',
  record: 'writes one structured line per request (to /dev/null)',
  metrics: 'counts and measures the request for Prometheus',
  ids: 'gives the request an id and hands it to the upstream',
}

export type SuiteName = 'proxy' | 'transcode' | 'shop'

/** One HTTP request, as the downstream sends it. Header names are lower-case. */
export interface BenchRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** A piece of work that every peer of the suite does for the same request, in front of the same backend. */
export interface Suite {
  readonly name: SuiteName
  readonly title: string
  readonly request: BenchRequest
  /** Program that plays the service behind the peers; the file name under `programs/`, with its arguments after the port. */
  readonly backend: { readonly program: string; readonly protocol: 'http' | 'grpc'; readonly args: readonly string[] }
  /** The answer every peer must give, parsed. */
  readonly answer: unknown
  /** The peer that ratios refer to; where it is missing, the first that runs. */
  readonly reference: string
}

/** What a peer gets to start with. */
export interface Setup {
  readonly suite: Suite
  readonly port: number
  readonly backendPort: number
  /** A folder of its own, removed at the end. */
  readonly folder: string
  readonly issuer: { readonly url: string; readonly audience: string }
  /** Serialized FileDescriptorSet of the shop. */
  readonly descriptors: string
  /** Node and the arguments that run Sallyport's command line. */
  readonly sallyport: readonly string[]
  /** Flags for peers that run on Node, such as those of the profiler. */
  readonly nodeFlags: readonly string[]
  readonly spawn: (command: string, args: readonly string[]) => Child
}

/** A process that was started here. */
export interface Child {
  readonly pid: number
  /** Settles with the exit status when it has ended. */
  readonly ended: Promise<number | undefined>
  /** The end of what it wrote to standard error. */
  readonly complaint: () => string
  /** Asks it to end, and ends it after two seconds if it does not. */
  close(): Promise<void>
}

/** A program under test. */
export interface Peer {
  readonly name: string
  readonly suites: readonly SuiteName[]
  readonly about: string
  readonly features: readonly Feature[]
  /** Runs with `--full`, or when it is named. */
  readonly extra: boolean
  /** The command that installs it. */
  readonly install: string
  /** Its version, or undefined when it is not on this machine. */
  available(): Promise<string | undefined>
  /** Starts it in a process of its own; it need not be ready yet. */
  start(setup: Setup): Promise<Child>
}
