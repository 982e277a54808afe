/** A scalar with its `${NAME}` filled in, or what is wrong with it. */
export type Filled = { readonly text: string } | { readonly problem: string; readonly hint: string; readonly missing: boolean }

const reference = /\$(\$)?\{([^}]*)(\})?/g

/**
 * Fills in `${NAME}` from the process environment. `$${` stands for a literal `${`. The first problem wins; what a variable
 * holds is never part of a problem, and never expanded again.
 */
export function fillVariables(text: string, variable: (name: string) => string | undefined): Filled {
  let problem: Filled | undefined
  const filled = text.replace(reference, (whole: string, escaped: string | undefined, name: string, closed: string | undefined) => {
    if (escaped !== undefined) return whole.slice(1)
    const value = closed !== undefined && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? variable(name) : undefined
    if (value !== undefined) return value
    problem ??= refuse(name, closed !== undefined)
    return whole
  })
  return problem ?? { text: filled }
}

function refuse(name: string, closed: boolean): Filled {
  if (!closed || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    const hint = 'Write ${NAME} with a name of letters, digits and "_", or $${ for a literal "${".'
    return { problem: closed ? `"\${${name}}" does not name an environment variable.` : '"${" is not closed.', hint, missing: false }
  }
  return { problem: `The environment variable ${name} is not set.`, hint: `Set ${name}, or write the value here.`, missing: true }
}
