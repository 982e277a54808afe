import { isAlias, parseDocument, visit } from 'yaml'
import * as z from 'zod'
import { pause } from '../model/pause.ts'
import { parseAuthority } from '../net.ts'
import type { EndpointSource } from '../policy/linked/endpoints.ts'
import type { Discovery, Found } from '../ports.ts'
import type { DiscoveryPorts } from './ports.ts'

/** Of an endpoints file, bytes. */
const largest = 4 * 1024 * 1024
/** A file that is not heard of is looked at again, milliseconds. */
const lookMs = 10_000
/** After it changed: whoever writes it in place needs a moment. */
const settleMs = 100

const entry = z.union([
  z.string(),
  z.strictObject({
    address: z.string(),
    weight: z.int().min(1).max(1_000_000).optional(),
    zone: z.string().min(1).max(255).optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
])
const list = z.array(entry).max(5_000)

/** A list of endpoints in a file, YAML or JSON, that is read again whenever it changes. */
export function fileDiscovery({ path }: Extract<EndpointSource, { kind: 'file' }>, { files, clock }: Pick<DiscoveryPorts, 'files' | 'clock'>): Discovery {
  const once = async () => ({ found: readEndpoints(await files.read(path, largest)) })
  return {
    once,
    async follow(tell, lifeline) {
      let heard = () => {}
      const watching = files.watch(path, () => heard())
      try {
        for (;;) {
          const news = new Promise<void>((resolve) => {
            heard = resolve
          })
          // Read from a disk that is here: there is nobody to be left alone.
          await once()
            .then(({ found }) => tell.set(found))
            .catch((error: unknown) => tell.failed(error))
          await Promise.race([news, pause(lookMs, lifeline, clock)])
          await pause(settleMs, lifeline, clock)
        }
      } finally {
        watching.close()
      }
    },
  }
}

/** Reads a list of endpoints: addresses, or mappings of address, weight, zone and labels. @throws Error that says what is wrong. */
export function readEndpoints(text: string): readonly Found[] {
  const document = parseDocument(text, { strict: true, uniqueKeys: true, logLevel: 'silent' })
  const [mistake] = document.errors
  if (mistake !== undefined) throw new Error(`it is no YAML or JSON: ${mistake.message.split('\n', 1)[0]}`)
  visit(document, (_, node) => {
    if (isAlias(node)) throw new Error(`it is no list of endpoints: the alias *${node.source} is not resolved here, write the endpoint itself`)
  })
  const read = list.safeParse(document.toJS({ maxAliasCount: 0 }))
  if (!read.success) throw new Error(`it is no list of endpoints: ${read.error.issues[0]?.path.join('.') ?? ''} ${read.error.issues[0]?.message ?? ''}`.trim())
  return read.data.map((one) => (typeof one === 'string' ? foundIn({ address: one }) : foundIn(one)))
}

function foundIn({ address, weight = 1, zone, labels = {} }: Exclude<z.output<typeof entry>, string>): Found {
  return { address: readAddress(address), weight, zone, labels }
}

function readAddress(text: string): Found['address'] {
  if (/^unix:\/[^\p{Cc}]+$/u.test(text)) return { kind: 'unix', path: text.slice(5) }
  const parsed = parseAuthority(text)
  if ('problem' in parsed) throw new Error(`${JSON.stringify(text)} is not an address: ${parsed.problem}`)
  if (parsed.port === undefined || parsed.port === 0) throw new Error(`${JSON.stringify(text)} has no port`)
  return { kind: 'tcp', host: parsed.host, port: parsed.port }
}
