import { type Case, passes } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, hostOf } from './house.ts'
import { request } from './talk.ts'

/** Calls that are not among those allowed, spelled as those that are. */
export const allowing = openCatalogue('allow')

const home = '93.184.216.34'
allowing.zone('rules.vendor.example', [home])
const rules = allowing.add({
  environments: { dev: guarded('https://rules.vendor.example') },
  allow: [
    { methods: ['POST'], path: '/v1/charges' },
    { methods: ['GET'], path: '/v1/charges/{id}' },
  ],
})
const based = allowing.add({ environments: { dev: guarded('https://rules.vendor.example/tenant-7/') } })
const open = allowing.add({ environments: { dev: guarded('https://rules.vendor.example') } })

const call = (to: string, line: string, headers: readonly string[] = [], body = '') => request(line, hostOf(to), headers, body)
const lets = (name: string, to: string, line: string, asked = line, headers: readonly string[] = [], body = ''): Case =>
  passes(name, to, `${home}:443`, { send: call(to, line, headers, body), asked: [asked] })
const refused = (name: string, to: string, line: string, ends: string, headers: readonly string[] = [], body = ''): Case => ({
  name: `${name}: ${line}`,
  send: call(to, line, headers, body),
  ends,
})
const denied = (name: string, line: string, headers: readonly string[] = [], body = '') => refused(name, rules, line, '403 egress_denied', headers, body)
const ambiguous = (name: string, line: string, to = rules) => refused(name, to, line, '400 path_ambiguous')

export const allowControls: readonly Case[] = [
  lets('a call of the first rule', rules, 'POST /v1/charges', 'POST /v1/charges a=1', [], 'a=1'),
  lets('a call of the second rule', rules, 'GET /v1/charges/7'),
  lets('HEAD where GET may', rules, 'HEAD /v1/charges/7'),
  lets('an escape of a plain letter is that letter', rules, 'GET /v1/%63harges/7', 'GET /v1/charges/7'),
  lets('a query says nothing about the path', rules, 'GET /v1/charges/7?next=/admin/../x'),
  lets('a path prefix of the target', based, 'GET /x', 'GET /tenant-7/x'),
  lets('an encoded slash where nothing is confined', open, 'GET /a%2Fb'),
  lets('any method where nothing is listed', open, 'DELETE /v1/charges'),
]

export const allowAttacks: readonly Case[] = [
  denied('another path', 'GET /v1/refunds'),
  denied('another method', 'DELETE /v1/charges/7'),
  denied('the method of the other rule', 'GET /v1/charges'),
  denied('the path of the other rule', 'POST /v1/charges/7', [], 'a=1'),
  denied('one segment more', 'GET /v1/charges/7/refunds'),
  denied('a slash at the end', 'POST /v1/charges/'),
  denied('another case', 'GET /V1/charges/7'),
  denied('another case of a segment', 'GET /v1/Charges/7'),
  denied('a prefix of a segment', 'GET /v1/chargesx/7'),
  refused('a method that no parser knows', rules, 'POSTX /v1/charges', '400 request_invalid'),
  denied('OPTIONS', 'OPTIONS /v1/charges'),
  denied('PUT', 'PUT /v1/charges', [], 'a=1'),
  denied('a method override', 'GET /v1/charges', ['x-http-method-override: POST']),
  denied('a method in the query', 'GET /v1/charges?_method=POST'),
  denied('a path in the query', 'GET /v1/refunds?path=/v1/charges/7'),
  denied('a path in a header', 'GET /v1/refunds', ['x-original-url: /v1/charges/7', 'x-rewrite-url: /v1/charges/7']),
  denied('an escape of another path', 'GET /v1/%72efunds'),
  ambiguous('dots', 'GET /v1/charges/../refunds'),
  ambiguous('encoded dots', 'GET /v1/charges/%2e%2e/refunds'),
  ambiguous('half encoded dots', 'GET /v1/charges/.%2e/refunds'),
  ambiguous('one dot', 'GET /v1/./charges/7'),
  ambiguous('dots with a parameter', 'GET /v1/charges/..;/refunds'),
  ambiguous('dots behind an encoded slash', 'GET /v1/charges/x%2f..%2f..%2frefunds'),
  ambiguous('an encoded slash in a rule’s parameter', 'GET /v1/charges/7%2frefunds'),
  ambiguous('a parameter of a segment', 'GET /v1/charges/7;x=/refunds'),
  ambiguous('an encoded semicolon', 'GET /v1/charges/7%3brefunds'),
  ambiguous('two slashes', 'GET /v1//charges/7'),
  ambiguous('two slashes first: the authority of somebody else', 'GET //evil.example/v1/charges/7'),
  ambiguous('a backslash', 'GET /v1/charges\\7'),
  ambiguous('an encoded backslash', 'GET /v1/charges/%5c7'),
  ambiguous('NUL', 'GET /v1/charges/7%00'),
  ambiguous('a line end', 'GET /v1/charges/7%0d%0ahost:%20evil.example'),
  ambiguous('an overlong form', 'GET /v1/charges/%c0%ae%c0%ae/refunds'),
  ambiguous('a broken escape', 'GET /v1/charges/%2'),
  ambiguous('an escape of IIS', 'GET /v1/charges/%u002e%u002e'),
  ambiguous('a fragment', 'GET /v1/charges/7#x'),
  ambiguous('dots out of the prefix', 'GET /../other', based),
  ambiguous('encoded dots out of the prefix', 'GET /%2e%2e/other', based),
  ambiguous('an encoded slash that could lead out of the prefix', 'GET /x%2fy', based),
  ambiguous('a parameter that could', 'GET /x;y', based),
  ambiguous('dots where nothing is confined', 'GET /a/../b', open),
]
