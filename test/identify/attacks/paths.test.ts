import { type Attack, atHouse, attackGroup, both, type Control, http1, type Message, type Refused, raw, refusals } from './attack.ts'

const house = atHouse()

const passes = (name: string, path: string, saw: string): Control => ({ name, send: () => both({ path }), saw: ({ target }) => target === saw })
const refused = (source: string, as: Refused, path: string, name = path): Attack => ({ name, source, as, send: () => both({ path }) })
/** For bytes that no client would send. */
const byHand = (source: string, as: Refused, target: string, name = JSON.stringify(target)): Attack => ({
  name,
  source,
  as,
  send: () => [line(target)],
})
const line = (target: string): Message => raw(`GET ${target} HTTP/1.1`, 'Host: a.example', '', '')

const normal = 'CVE-2019-9901, RFC 3986 section 5.2.4'
const escaped = 'CVE-2021-29492, RFC 3986 section 2.4'
const servlet = 'CVE-2020-1938 class, servlet path parameters'

/** Every way up from a path that anybody may read. `…` is where the way up stands. */
const ups = [
  '..',
  '.',
  '%2e%2e',
  '%2E%2E',
  '%2e.',
  '.%2e',
  '..;',
  '..;x=1',
  '.;',
  '%2e%2e;',
  '..%3b',
  '..%3Bx',
  '..%2f',
  '%2e%2e%2f',
  '%2f..',
  '..%2f..%2f',
  '..%5c',
  '%5c..',
  '..%255c..%5c',
] as const
const dots = ups.flatMap((up) => [`/open/${up}/private/7`, `/site/${up}/site/admin/7`])

attackGroup(
  'no way up',
  house,
  [
    passes('a plain path', '/open/a/b', '/open/a/b'),
    passes('dots in a name', '/open/a..b/...', '/open/a..b/...'),
    passes('unreserved characters in escapes', '/open/%7Euser/%61', '/open/~user/a'),
    passes('other characters in escapes', '/open/%e2%82%ac%20', '/open/%E2%82%AC%20'),
  ],
  [
    ...dots.map((path) => refused(path.includes('%') ? escaped : normal, refusals.path, path)),
    ...[
      '/open/..',
      '/open/.',
      '/open/%2e%2e',
      '/../open/x',
      '/./private/7',
      '/%2e/private/7',
      '/open/x/..;/..;/private/7',
      '/open/a/./b',
      '/open/../open/x',
    ].map((path) => refused(normal, refusals.path, path)),
    ...['//private/7', '/open//x', '/open///x', '/open/x//', '//evil.example/open/x'].map((path) =>
      refused('CVE-2021-29492, RFC 3986 section 4.2', refusals.path, path),
    ),
    ...['/open/a%5cb', '/open/a%5Cb', '/open/%5c', '/site%5cadmin'].map((path) => refused('WHATWG URL, backslash as slash', refusals.path, path)),
  ],
)

attackGroup(
  'no text that two parsers read differently',
  house,
  [
    passes('a query', '/open/x?a=b&c=%2e%2e/..//;%00', '/open/x?a=b&c=%2e%2e/..//;%00'),
    passes('a question mark in escapes', '/open/x%3Fadmin', '/open/x%3Fadmin'),
    passes('a number sign in escapes', '/open/x%23admin', '/open/x%23admin'),
    passes('a percent sign in escapes', '/open/%252e%252e/private', '/open/%252e%252e/private'),
  ],
  [
    ...['%00', '%01', '%09', '%0a', '%0d', '%0d%0aX:1', '%1f', '%7f', 'a%00.html'].map((text) => refused('CWE-158, CWE-93', refusals.path, `/open/${text}`)),
    ...['%', '%2', '%zz', '%2g', '%u002e', '%u2216', '%%32%65', '%+1', '%-1'].map((text) =>
      refused('RFC 3986 section 2.1', refusals.path, `/open/${text}/private`),
    ),
    ...['%c0%ae%c0%ae', '%c0%af', '%e0%80%af', '%f0%80%80%af', '%c1%9c', '%ff', '%80', '%ed%a0%80', '%f4%90%80%80', '%c3'].map((text) =>
      refused('RFC 3629 section 10 (overlong forms)', refusals.path, `/open/${text}/private`),
    ),
    ...['"', '<', '>', '[', ']', '^', '`', '{', '}', '|'].map((text) => refused('RFC 3986 section 3.3', refusals.path, `/open/a${text}b`)),
    ...['/open/a\\b', '/open\\..\\private\\7', '/open/..\\private', '/open/x#/../../private', '/open/x#', '/open/#?/private'].map((target) =>
      byHand('GHSA-pxq7-h93f-9jrg, WHATWG URL', refusals.path, target),
    ),
    ...['/open/caf\u00e9', '/open/\u00ff', '/open/\u0080'].map((target) => byHand('RFC 3986 section 2', refusals.request, target)),
    ...['/open/a\u0000b', '/open/a\u0001b', '/open/a\tb', '/open/a\u000bb'].map((target) => byHand('RFC 9112 section 3', refusals.request, target)),
    byHand('RFC 9112 section 3', refusals.request, '/open/a\u007fb'),
    byHand('GHSA-7rh7-c77v-6434 class', refusals.request, '/open/x?a#/private'),
    byHand('RFC 3986 section 3.4', refusals.request, '/open/x?caf\u00e9'),
  ],
)

attackGroup(
  'slashes and semicolons in escapes, where the route does not take them',
  house,
  [passes('a comma and the other sub-delimiters', "/open/a,b=c!d$e&f'g(h)i*j+k:l@m", "/open/a,b=c!d$e&f'g(h)i*j+k:l@m")],
  [
    '/open/a%2fb',
    '/open/a%2Fprivate',
    '/open%2fx',
    '/site%2fadmin%2fx',
    '/site/admin%2fx',
    '/open/a;b',
    '/open/a;/private',
    '/open;x/y',
    '/open/a%3bb',
    '/site/admin;/x',
    '/site/admin;x',
    '/site;/admin/x',
    '/site/admin%3b/x',
  ].flatMap((path): Attack[] => [
    refused(
      path.includes(';') || path.includes('%3b') ? servlet : escaped,
      /^\/(?:open|site)(?:%2f|;)/.test(path) ? refusals.noRoute : refusals.routePath,
      path,
    ),
  ]),
)

attackGroup(
  'a deny rule for a path holds for all its spellings',
  house,
  [
    passes('a neighbour', '/site/administration', '/site/administration'),
    passes('the name further down', '/site/x/admin', '/site/x/admin'),
    passes('the name in the query', '/site/x?/site/admin', '/site/x?/site/admin'),
    // RFC 3986 section 6.2.2.1: the path has a case. What goes on is what was judged.
    passes('the name in other case is another path', '/site/ADMIN', '/site/ADMIN'),
    passes('a dot behind makes another path', '/site/admin.', '/site/admin.'),
    passes('a space behind makes another path', '/site/admin%20', '/site/admin%20'),
  ],
  [
    ...['/site/admin', '/site/admin/', '/site/admin/x', '/site/admin/x/', '/site/admin?x', '/site/admin?/site/open', '/site/admin/x?y=z'].map((path) =>
      refused('design, Receive (one canonical path)', refusals.forbidden, path),
    ),
    ...[
      '/site/%61dmin',
      '/site/%61%64%6d%69%6e',
      '/site/%61%64%6D%69%6E/x',
      '/%73ite/admin',
      '/%73%69%74%65/%61dmin/x',
      '/site/admi%6e/',
      '/site/admin/%2e%2ehidden',
    ].map((path) => refused(escaped, refusals.forbidden, path)),
  ],
)

attackGroup(
  'the form of the target',
  house,
  [{ name: 'a path', send: () => [line('/open/x'), line('/open/x?')] }],
  [
    ...[
      'http://a.example/open/x',
      'HTTP://a.example/open/x',
      'https://a.example/open/x',
      'http://evil.example/open/x',
      'http://127.0.0.1/open/x',
      'http://169.254.169.254/latest/meta-data',
      'ftp://a.example/open/x',
      'http:/open/x',
      'file:///etc/passwd',
      '*',
    ].map((target) => byHand('RFC 9112 section 3.2.2', refusals.request, target)),
    ...['open/x', 'a.example:443', '?x', '@evil.example/open', ';/open/x', '.', ''].map((target) => byHand('RFC 9112 section 3.2', refusals.request, target)),
    { name: '8 KiB', source: 'RFC 9112 section 3', as: refusals.tooLong, send: () => [http1({ path: `/open/${'a'.repeat(8200)}` })] },
    { name: '8 KiB of query', source: 'RFC 9112 section 3', as: refusals.tooLong, send: () => [http1({ path: `/open/x?${'a'.repeat(8200)}` })] },
  ],
)
