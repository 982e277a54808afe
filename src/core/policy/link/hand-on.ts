import type { HandOn } from '../../model/hand-on.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, isSaid, type Linking, refer, refuse } from './linking.ts'

/** Headers that neither a claim nor a token may stand in, beside `authorization` for tokens: they frame the request, route it, or are credentials. */
const ownHeaders = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'grpc-timeout',
])

/** The headers that carry claims; none may frame or route the request. */
export function claimHeadersOf(linking: Linking, entry: Entry<RouteDocument>, said: RouteDocument['handOn'] | undefined): HandOn['claims'] {
  const claims = Object.entries(said?.claims ?? {}).map(([header, claim]) => ({ header, claim }))
  for (const { header } of claims) {
    if (ownHeaders.has(header))
      refuse(linking, entry, ['handOn', 'claims', header], {
        code: 'header_refused',
        message: `The header ${header} cannot carry a claim.`,
        hint: 'Use a header of your own, such as x-user.',
        which: 'key',
      })
  }
  return claims
}

/** The token that the route hands on; what it is made by, and where it stands, must be clear. */
export function introduceOf(linking: Linking, entry: Entry<RouteDocument>, said: RouteDocument['handOn'] | undefined): Pick<HandOn, 'introduce'> {
  if (said === undefined) return {}
  const { minted, exchange, header } = said
  if (minted !== undefined) refer(linking, entry, ['handOn', 'minted'], 'tokens', minted)
  if (exchange !== undefined) refer(linking, entry, ['handOn', 'exchange'], 'exchanges', exchange)
  const given = ['minted', 'exchange', 'token'].filter((key) => isSaid(entry, ['handOn', key]) && (key !== 'token' || said.token))
  if (given.length > 1)
    refuse(linking, entry, ['handOn', given[1] ?? ''], {
      code: 'hand_on_twice',
      message: `The upstream would get two tokens: ${given.join(' and ')} exclude each other.`,
      hint: 'Keep one of minted, exchange and token.',
      which: 'key',
    })
  if (minted === undefined && exchange === undefined) {
    if (isSaid(entry, ['handOn', 'header']))
      refuse(linking, entry, ['handOn', 'header'], {
        code: 'no_effect',
        message: '"header" says where a token stands, and there is none.',
        hint: 'Add minted or exchange, or remove it.',
        which: 'key',
      })
    return {}
  }
  if ((header !== 'authorization' && ownHeaders.has(header)) || Object.hasOwn(said.claims, header))
    refuse(linking, entry, ['handOn', 'header'], {
      code: 'header_refused',
      message: `The header ${header} cannot carry a token.`,
      hint: 'Use authorization, or a header of your own.',
    })
  return { introduce: minted === undefined ? { by: 'exchange', name: exchange ?? '', header } : { by: 'minted', name: minted, header } }
}
