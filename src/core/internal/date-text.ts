/**
 * Milliseconds since the epoch for ISO text or an HTTP date (RFC 9110 5.6.7, all three forms, and the hyphenated form that
 * old cookies carry); undefined for anything else. `now` settles the century of a two-digit year. The name of the
 * weekday must be one, but is not compared with the date.
 */
export function parseDateText(text: string, now: number): number | undefined {
  for (const form of FORMS) {
    const fields = form.exec(text)?.groups
    if (fields !== undefined) return instantOf(fields, now)
  }
  return undefined
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const TIME = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`
const MONTH = `(?<month>${MONTHS.join('|')})`

// Each pattern is anchored and every repetition in it is bounded: no text makes them search.
const FORMS: readonly RegExp[] = [
  // A date alone is midnight UTC, as in ECMAScript. A time of day without a zone would mean another instant on every server.
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)$/,
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)T(?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.(?<fraction>\d{1,9}))?)?(?<zone>Z|[+-]\d\d:\d\d)$/,
  // IMF-fixdate, and the same with hyphens.
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d\d)(?<gap>[ -])${MONTH}\k<gap>(?<year>\d{4}) ${TIME} GMT$`),
  // RFC 850.
  new RegExp(String.raw`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d\d)-${MONTH}-(?<shortYear>\d\d) ${TIME} GMT$`),
  // asctime.
  new RegExp(String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${MONTH} (?<day>\d\d| \d) ${TIME} (?<year>\d{4})$`),
]

type Fields = Readonly<Record<string, string | undefined>>

function instantOf(fields: Fields, now: number): number | undefined {
  const { hour = 0, minute = 0, second = 0, fraction = 0 } = fields
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const midnight = midnightOf(fields, now)
  const zone = zoneMs(fields['zone'])
  if (midnight === undefined || zone === undefined) return undefined
  const ms = Math.trunc(Number(`0.${fraction}`) * 1000)
  return midnight + (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000 + ms - zone
}

function midnightOf(fields: Fields, now: number): number | undefined {
  const month = monthOf(fields['month'] ?? '')
  const day = Number(fields['day'])
  const shortYear = fields['shortYear']
  const year = shortYear === undefined ? Number(fields['year']) : fullYear(Number(shortYear), now)
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month, day) // not Date.UTC, which reads the years 0 to 99 as 1900 to 1999
  // 30 February would silently become 2 March.
  return midnight.getUTCMonth() === month && midnight.getUTCDate() === day ? midnight.getTime() : undefined
}

function monthOf(text: string): number {
  const named = MONTHS.indexOf(text)
  return named >= 0 ? named : Number(text) - 1
}

// RFC 9110 5.6.7: a two-digit year is never more than 50 years ahead.
function fullYear(digits: number, now: number): number {
  const earliest = new Date(now).getUTCFullYear() - 49
  return earliest + ((digits - earliest) % 100 + 100) % 100
}

function zoneMs(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(4, 6))
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}
