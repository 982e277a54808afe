/** Seconds and nanoseconds of a google.protobuf.Timestamp or Duration. */
export interface Moment {
  readonly seconds: number
  readonly nanos: number
}

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z (google/protobuf/timestamp.proto). */
const [firstSecond, lastSecond] = [-62135596800, 253402300799]
/** google/protobuf/duration.proto */
export const durationLimit = 315576000000
const daySeconds = 86400

/** The moment of an RFC 3339 text that `timestampProblem` accepts; undefined outside of the years 0001 to 9999. */
export function momentOf(text: string): Moment | undefined {
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10)]
  const time = digits(text, 11, 13) * 3600 + digits(text, 14, 16) * 60 + digits(text, 17, 19)
  const zone = text.endsWith('Z') ? text.length - 1 : text.length - 6
  const nanos = zone === 19 ? 0 : nanosOf(text, 20, zone)
  const offset = text.endsWith('Z') ? 0 : (digits(text, zone + 1, zone + 3) * 60 + digits(text, zone + 4, zone + 6)) * (text[zone] === '-' ? -60 : 60)
  const seconds = dayNumber(year, month, day) * daySeconds + time - offset
  return seconds < firstSecond || seconds > lastSecond ? undefined : { seconds, nanos }
}

/** The span of a text that `durationProblem` accepts; undefined beyond the limit. */
export function spanOf(text: string): Moment | undefined {
  const point = text.indexOf('.')
  const end = text.length - 1
  const seconds = Number(text.slice(0, point < 0 ? end : point))
  if (Math.abs(seconds) > durationLimit) return undefined
  const nanos = point < 0 ? 0 : nanosOf(text, point + 1, end)
  return { seconds: seconds + 0, nanos: text.startsWith('-') ? 0 - nanos : nanos }
}

/** RFC 3339 with no, three, six or nine digits of fraction; undefined when it is out of range. */
export function momentText({ seconds, nanos }: Moment): string | undefined {
  if (seconds < firstSecond || seconds > lastSecond || nanos < 0 || nanos > 999999999) return undefined
  const days = Math.floor(seconds / daySeconds)
  const time = seconds - days * daySeconds
  const clock = `${two(Math.floor(time / 3600))}:${two(Math.floor(time / 60) % 60)}:${two(time % 60)}`
  return `${dateText(days)}T${clock}${nanos === 0 ? '' : fraction(nanos)}Z`
}

/** ProtoJSON of a duration; undefined when it is out of range or its signs differ. */
export function spanText({ seconds, nanos }: Moment): string | undefined {
  if (Math.abs(seconds) > durationLimit || Math.abs(nanos) > 999999999 || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) return undefined
  const sign = nanos < 0 && seconds === 0 ? '-' : ''
  return `${sign}${seconds}${nanos === 0 ? '' : fraction(Math.abs(nanos))}s`
}

function digits(text: string, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) value = value * 10 + text.charCodeAt(i) - 48
  return value
}

function nanosOf(text: string, from: number, to: number): number {
  return digits(text, from, to) * 10 ** (9 - (to - from))
}

function fraction(nanos: number): string {
  if (nanos % 1000000 === 0) return `.${String(nanos / 1000000).padStart(3, '0')}`
  if (nanos % 1000 === 0) return `.${String(nanos / 1000).padStart(6, '0')}`
  return `.${String(nanos).padStart(9, '0')}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : `${value}`
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March. */
function dayNumber(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146097 + dayOfEra - 719468
}

/** The reverse of `dayNumber`, as text. */
function dateText(days: number): string {
  const shifted = days + 719468
  const era = Math.floor(shifted / 146097)
  const dayOfEra = shifted - era * 146097
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
}
