const day = 86_400_000

/** Milliseconds since the epoch as RFC 3339 in UTC with milliseconds: `2026-03-01T12:00:00.000Z`. Years 1970 to 9999. */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms)
  const days = Math.floor(whole / day)
  const rest = whole - days * day
  const { year, month, date } = civil(days)
  const clock = `${two(rest / 3_600_000)}:${two((rest / 60_000) % 60)}:${two((rest / 1000) % 60)}.${String(rest % 1000).padStart(3, '0')}`
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(date)}T${clock}Z`
}

function two(value: number): string {
  const whole = Math.floor(value)
  return whole < 10 ? `0${whole}` : String(whole)
}

/** Days since the epoch to a date: eras of 400 years that start on the first of March, so that the leap day is the last of its year. */
function civil(days: number): { readonly year: number; readonly month: number; readonly date: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const march = Math.floor((5 * dayOfYear + 2) / 153)
  const month = march < 10 ? march + 3 : march - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, date: dayOfYear - Math.floor((153 * march + 2) / 5) + 1 }
}
