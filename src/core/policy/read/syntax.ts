import type { Problem } from '../report.ts'

const sentences: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  ALIAS_PROPS: ['An alias (*name) stands where it cannot.', 'Write the value out; if it begins with "*", put it in quotes.'],
  BAD_DQ_ESCAPE: ['The quoted text holds an escape that does not exist.', 'Write \\\\ for a backslash, or use single quotes.'],
  BAD_INDENT: [
    'The indentation does not fit, or a bracket or quote before it is not closed.',
    'Indent members of one mapping alike, and close what is open above.',
  ],
  BAD_PROP_ORDER: ['A tag or anchor stands in the wrong place.', 'Remove it; if the value begins with "!" or "&", put it in quotes.'],
  BAD_SCALAR_START: ['A value cannot begin with this character.', 'Put the value in quotes.'],
  BLOCK_AS_IMPLICIT_KEY: ['A second ":" on one line makes a mapping inside a key.', 'Put a value that holds ": " in quotes, or start a new line.'],
  BLOCK_IN_FLOW: ['An indented block stands inside { } or [ ].', 'Write it in { } or [ ] too, or write the outer one as an indented block.'],
  COMMENT_SPACE: ['A "#" directly follows other text.', 'Put a space before it to begin a comment, or the value in quotes.'],
  MISSING_CHAR: [
    'Something is missing here: a comma, a colon, a closing bracket or a quote.',
    'Add it; a value that holds { } [ ] or a comma inside { } or [ ] needs quotes.',
  ],
  MULTILINE_IMPLICIT_KEY: ['A key runs over several lines.', 'Add the missing ":" or close the quote.'],
  MULTIPLE_DOCS: ['The file holds more than one YAML document.', 'Remove the "---", or split the file.'],
  NON_STRING_KEY: ['A key is not text.', 'Write a name as key; for a value that begins with "{", use quotes.'],
  RESOURCE_EXHAUSTION: ['The file is nested too deeply to be read.', 'No policy needs that.'],
  TAB_AS_INDENT: ['A tab indents this line.', 'Indent with spaces.'],
  TAG_RESOLVE_FAILED: ['Tags (!name) are not read.', 'Remove the tag; if the value begins with "!", put it in quotes.'],
  UNEXPECTED_TOKEN: ['This does not fit here.', 'Look for a missing quote, comma or bracket before it; a value that holds { } [ ] or ": " needs quotes.'],
}

/** One YAML error as a sentence with something to do. `text` is the file, `offset` where the error stands. */
export function syntaxProblem(code: string, message: string, text: string, offset: number): Omit<Problem, 'at'> {
  const [sentence, hint] = sentences[code] ?? [`The file is not valid YAML: ${message}.`, 'Correct it here.']
  const near = /^[^\s]{1,24}/.exec(text.slice(offset, offset + 24))?.[0]
  // Only punctuation is quoted back: the text could be part of a secret.
  const punctuation = near !== undefined && /^[^A-Za-z0-9]/.test(near) ? ` Found "${near[0]}".` : ''
  return { code: 'yaml_invalid', message: `${sentence}${punctuation}`, hint }
}
