import { isoTime } from '../../observe/time.ts'

/** Milliseconds since the epoch as ISO 8601 basic format in UTC, `20150830T123600Z`: what AWS signatures are dated with. */
export function amzDate(ms: number): string {
  return isoTime(ms).replaceAll(/[-:]|\.\d{3}/g, '')
}
