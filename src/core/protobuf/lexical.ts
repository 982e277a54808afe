const timestamp = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?(?:Z|[+-]([0-9]{2}):([0-9]{2}))$/
const duration = /^-?[0-9]{1,12}(?:\.[0-9]{1,9})?s$/
const base64 = /^[A-Za-z0-9+/_-]*(={0,2})$/
const daysIn = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Why a text is not an RFC 3339 time that exists in the calendar; undefined when it is one. */
export function timestampProblem(text: string): string | undefined {
  const expected = 'expected a time such as "2026-01-31T12:00:00Z"'
  const parts = timestamp.exec(text)
  if (parts === null) return expected
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] = parts.slice(1).map((part) => Number(part ?? 0))
  const leap = month === 2 && ((year % 4 === 0 && year % 100 !== 0) || year % 400 === 0)
  const days = (daysIn[month - 1] ?? 0) + (leap ? 1 : 0)
  if (year === 0 || day < 1 || day > days) return 'no such day'
  return hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59 ? 'no such time of day' : undefined
}

/** Why a text is not a duration (ProtoJSON: seconds with up to nine digits of fraction, then `s`). */
export function durationProblem(text: string): string | undefined {
  return duration.test(text) ? undefined : 'expected a duration such as "1.5s"'
}

/** Why a text is not base64, in the standard or the URL alphabet, padded or not (RFC 4648 sections 4 and 5). */
export function base64Problem(text: string): string | undefined {
  const padding = base64.exec(text)?.[1]
  const isWhole = padding !== undefined && (padding === '' ? text.length % 4 !== 1 : text.length % 4 === 0)
  return isWhole ? undefined : 'expected base64'
}
