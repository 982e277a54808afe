const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `day-name , SP date1 SP time-of-day SP GMT` (RFC 9110 section 5.6.7, IMF-fixdate). */
const fixdate = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/

/** Milliseconds since the epoch, or undefined for text that is no IMF-fixdate. */
export function parseHttpDate(text: string): number | undefined {
  const parts = fixdate.exec(text)
  if (parts === null) return undefined
  const month = months.indexOf(parts[2] as string)
  const [day, year, hours, minutes, seconds] = [parts[1], parts[3], parts[4], parts[5], parts[6]].map(Number) as [number, number, number, number, number]
  if (month < 0 || day < 1 || day > 31 || hours > 23 || minutes > 59 || seconds > 60) return undefined
  return (daysSinceEpoch(year, month + 1, day) * 86_400 + hours * 3_600 + minutes * 60 + seconds) * 1_000
}

/** Days from 1970-01-01 in the Gregorian calendar; years start in March, so that the leap day comes last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}
