import type { DescEnum, DescField, DescFile, DescMessage, DescMethod, DescService } from '@bufbuild/protobuf'

export type Commented = DescService | DescMethod | DescMessage | DescField | DescEnum

/** The words above a declaration in its .proto file; undefined where the set has no source info or nothing was said. */
export type Comments = (desc: Commented) => string | undefined

/** Notes to reviewers and linters (https://google.aip.dev/192), which are not for readers of an API. */
const internalNotes = /\(--[\s\S]*?--\)/g
const lintNotes = /^\s*(?:buf:lint:|@exclude).*$/gm

/** Reads comments by their place in the file (descriptor.proto, SourceCodeInfo.Location). Files are read once. */
export function buildComments(): Comments {
  const files = new Map<DescFile, ReadonlyMap<string, string>>()
  return (desc) => {
    const { file } = desc.kind === 'rpc' || desc.kind === 'field' ? desc.parent : desc
    const known = files.get(file) ?? commentsIn(file)
    files.set(file, known)
    return known.get(placeOf(desc).join('.'))
  }
}

function commentsIn(file: DescFile): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { path, leadingComments, trailingComments } of file.proto.sourceCodeInfo?.location ?? []) {
    const text = tidy(leadingComments === '' ? trailingComments : leadingComments)
    if (text !== '') found.set(path.join('.'), text)
  }
  return found
}

function tidy(comment: string): string {
  const lines = comment.replaceAll(internalNotes, '').replaceAll(lintNotes, '').split('\n')
  return lines
    .map((line) => line.replace(/^ /, '').trimEnd())
    .join('\n')
    .trim()
}

/** Field numbers and positions from the file down to the declaration. */
function placeOf(desc: Commented): readonly number[] {
  switch (desc.kind) {
    case 'service':
      return [6, desc.file.proto.service.indexOf(desc.proto)]
    case 'rpc':
      return [...placeOf(desc.parent), 2, desc.parent.proto.method.indexOf(desc.proto)]
    case 'field':
      return [...placeOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)]
    case 'message':
      return desc.parent === undefined
        ? [4, desc.file.proto.messageType.indexOf(desc.proto)]
        : [...placeOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)]
    case 'enum':
      return desc.parent === undefined
        ? [5, desc.file.proto.enumType.indexOf(desc.proto)]
        : [...placeOf(desc.parent), 4, desc.parent.proto.enumType.indexOf(desc.proto)]
    default:
      return desc satisfies never
  }
}

/** The first sentence on one line when it is short enough to be a heading. */
export function firstSentence(text: string): string | undefined {
  const [paragraph = ''] = text.split(/\n\s*\n/)
  const line = paragraph.replaceAll(/\s+/g, ' ')
  const sentence = (/^.*?[.!?](?=\s|$)/.exec(line)?.[0] ?? line).replace(/\.$/, '')
  return sentence === '' || sentence.length > 120 ? undefined : sentence
}

/** `GetOrder` as `Get order`. */
export function spacedOut(name: string): string {
  const words = name
    .replaceAll('_', ' ')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
  return words
    .split(' ')
    .map((word, i) => (i === 0 || /^[A-Z]{2,}$/.test(word) ? word : word.toLowerCase()))
    .join(' ')
}
