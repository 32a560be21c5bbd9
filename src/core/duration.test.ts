import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONGEST_TIMEOUT, parseDuration, parseInstant, parseTimeout } from './duration.ts'
import { SessionError } from './errors.ts'
import { NEVER } from './record.ts'

const T0 = Date.UTC(2010, 5, 15)
const DAY = 86_400

/** The message of the SessionError that is thrown, after checking its class and code. */
function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError)
    expect(error).toHaveProperty('code', 'ERR_SESSION_OPTION')
    return String(error)
  }
  throw new Error('nothing was thrown')
}

describe('parseDuration', () => {
  it.each<[number | string, number]>([
    [42, 42], [0, 0], [-90, -90], [0.25, 0.25], ['42', 42], ['0', 0], ['+90', 90], ['-90', -90], ['1288817656', 1_288_817_656],
    ['+2h', 7200], ['-2h', -7200], ['2 hours', 7200], ['2  hours', 7200], [' 2 hours ', 7200], ['10 minutes', 600], ['10minutes', 600],
    ['1 m', 60], ['1m', 60], ['1 M', 30 * DAY], ['1M', 30 * DAY], ['1w', 7 * DAY], ['1 week', 7 * DAY], ['1y', 365 * DAY], ['2 years', 730 * DAY],
    ['1.5 hours', 5400], ['+1.5h', 5400], ['1.1 hours', 3960], ['.5 hours', 1800], ['.5h', 1800], ['0.0005s', 0.001],
    ['1h 30m', 5400], ['1h30m', 5400], ['1 hour 30 minutes', 5400], ['1 hour and 30 minutes', 5400], ['1 hour,30 minutes', 5400],
    ['1 week, 2 days', 9 * DAY], ['30m 1h', 5400], ['1h 1h', 7200], ['1:30', 5400], ['1:30:15', 5415], ['-0:00:30', -30], ['100:00', 360_000],
    ['1 Hour', 3600], ['1 HOURS AND 2 Min', 3720], ['1 secs', 1], ['1 mins', 60], ['1 hr', 3600], ['1 months', 30 * DAY], ['1 sec', 1], ['1 day', DAY],
    ['3 weeks 4 days 2 hours 99 min 0 secs', 2_173_140], ['now', 0], ['NOW', 0], ['never', Infinity], ['Never', Infinity],
  ])('reads %j as %d seconds', (text, seconds) => {
    expect(parseDuration(text, 'x')).toBe(seconds)
  })

  it.each([
    '', ' ', '5 fortnights', 'bogus', '1h junk', '1e3', '1H', '1D', '1S', '1W', '1Y', '1,5 hours', '1.5', '1. h', '1.h', '1,000 s', 'h', '+', '-', '--1', '+-1', '- 1',
    '1h,', '1h and', ',1h', 'and 1h', '1h,,1m', '1h, and 1m', '1h -1m', '1h 30', '1h\n30m', '1h\t30m', '1:5', '1:60', '1:30:60', '1:30:15:00', ':30', '1:30h', '1h 1:30',
    '+now', '-never', 'now 1h', 'NaN', 'Infinity', '0x10', '1_000', '١ h', '１h', '1 wee\u212A', '1 ſ', '1\0h', '\ud800', '9'.repeat(20), '999999999 years', '1d'.repeat(101),
    '2010-06-15', 'Tue, 15 Jun 2010 00:00:00 GMT',
  ])('refuses %j and quotes it', (text) => {
    const message = refusal(() => parseDuration(text, 'idleTimeout'))
    expect(message).toContain('idleTimeout')
    expect(message).toContain(text.length > 60 ? `${JSON.stringify(text.slice(0, 60))}…` : JSON.stringify(text))
  })

  it.each([NaN, Infinity, -Infinity, 1e300, Number.MAX_VALUE])('refuses the number %d and quotes it', (value) => {
    expect(refusal(() => parseDuration(value, 'idleTimeout'))).toContain(String(value))
  })

  it.each([undefined, null, true, 10n, {}, [], ['1h'], Symbol('s'), () => 1, Object.create(null), new Date(0)])('refuses a value of another type (%#)', (value) => {
    refusal(() => Reflect.apply(parseDuration, undefined, [value, 'idleTimeout']))
  })

  it.each<[unknown, string]>([[null, 'null'], [undefined, 'a value of type undefined'], [{}, 'a value of type object'], [true, 'a value of type boolean'], [new Date(0), 'a Date'], [new Date(NaN), 'an invalid Date'], ['x'.repeat(60), `"${'x'.repeat(60)}"`], ['x'.repeat(61), `"${'x'.repeat(60)}"…`]])('names %s as what it is', (value, named) => {
    expect(refusal(() => Reflect.apply(parseDuration, undefined, [value, 'idleTimeout']))).toContain(`idleTimeout is not a length of time: ${named}. Pass`)
  })

  it('takes a text of 200 characters, and none that is longer', () => {
    expect([parseDuration('1h'.padEnd(200), 'x'), parseDuration('.25h', 'x'), parseInstant(` ${new Date(T0).toISOString()} `, T0, 'x'), parseInstant('2010-06-15'.padEnd(200), T0, 'x')]).toEqual([3600, 900, T0, T0])
    refusal(() => parseDuration('1h'.padEnd(201), 'x'))
    refusal(() => parseInstant('2010-06-15'.padEnd(201), T0, 'x'))
  })

  it('reaches to the last instant that a Date can hold, in seconds', () => {
    expect([parseDuration(NEVER / 1000, 'x'), parseDuration(-NEVER / 1000, 'x')]).toEqual([NEVER / 1000, -NEVER / 1000])
    refusal(() => parseDuration(NEVER / 1000 + 1, 'x'))
  })

  it('says what to pass instead', () => {
    expect(refusal(() => parseDuration('5 fortnights', 'idleTimeout')))
      .toBe('SessionError: idleTimeout is not a length of time: "5 fortnights". Pass a number of seconds, or text such as "30 minutes", "1h 30m", "1:30" or "never".')
  })

  it('is the sum of its parts, however they are joined', () => {
    const amount = fc.oneof(fc.nat(999).map(String), fc.tuple(fc.nat(999), fc.nat(999)).map(([whole, part]) => `${whole}.${part}`))
    const unit = fc.constantFrom('s', 'secs', 'm', 'Minutes', 'h', 'hr', 'd', 'days', 'w', 'M', 'MONTH', 'y')
    const part = fc.tuple(amount, fc.constantFrom('', ' '), unit).map((pieces) => pieces.join(''))
    const joiner = fc.constantFrom('', ' ', ',', ', ', ' and ', ' AND ')
    fc.assert(fc.property(fc.constantFrom('', '+', '-'), fc.array(part, { minLength: 1, maxLength: 8 }), joiner, (sign, parts, joint) => {
      // Letters on both sides would run together.
      fc.pre(joint !== '' || parts.length === 1 || !parts.slice(1).some((text) => /^[A-Za-z]/.test(text)))
      const sum = parts.reduce((total, text) => total + ms(text), 0)
      expect(ms(sign + parts.join(joint))).toBe((sign === '-' ? -sum : sum) + 0)
    }))
  })

  it('reads any text or refuses it with the right code', () => {
    const pieces = fc.constantFrom('1', '9', '.', ',', ':', ' ', '-', '+', 'h', 'M', 'and', 'now', 'never', 'min', 'e', 'T', 'Z', '\0', '\n', 'GMT', 'Jan')
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.array(pieces, { maxLength: 40 }).map((list) => list.join('')))
    fc.assert(fc.property(text, (value) => {
      for (const read of [parseDuration, (instant: string, what: string) => parseInstant(instant, T0, what)]) {
        try {
          expect(Number.isNaN(read(value, 'x'))).toBe(false)
        } catch (error) {
          expect(error).toHaveProperty('code', 'ERR_SESSION_OPTION')
        }
      }
    }), { numRuns: 2000 })
  })

  it('refuses a hostile text of a megabyte without walking it', () => {
    const started = performance.now()
    for (const piece of ['1', ' ', '1h', '1 and ', ',', '.1', '1:', '+']) refusal(() => parseDuration(piece.repeat(1_000_000), 'x'))
    for (const piece of ['1', '2010-', 'Mon, ', ' ']) refusal(() => parseInstant(piece.repeat(1_000_000), T0, 'x'))
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('parseTimeout', () => {
  it('takes what is within its range, both ends included', () => {
    expect(parseTimeout('1s', 'x', { min: 1 })).toBe(1)
    expect(parseTimeout('400 days', 'x')).toBe(LONGEST_TIMEOUT)
    expect(parseTimeout('now', 'x')).toBe(0)
    expect(parseTimeout('1m', 'x', { max: 60 })).toBe(60)
  })

  it('refuses a negative timeout', () => {
    expect(refusal(() => parseTimeout(-1, 'idleTimeout'))).toContain('idleTimeout must be at least 0 seconds, not -1.')
    expect(refusal(() => parseTimeout('-30 minutes', 'idleTimeout'))).toContain('"-30 minutes"')
  })

  it('refuses less than the least', () => {
    expect(refusal(() => parseTimeout(0.5, 'idleTimeout', { min: 1 }))).toContain('at least 1 second, not 0.5')
  })

  it('asks about milliseconds when it is too long', () => {
    expect(refusal(() => parseTimeout(86_400_000, 'idleTimeout'))).toContain('at most 400 days, not 86400000. Are these milliseconds?')
    expect(refusal(() => parseTimeout(2000, 'storeTimeout', { max: 60 }))).toContain('at most 60 seconds, not 2000. Are these milliseconds?')
    expect(refusal(() => parseTimeout('2 days', 'x', { max: DAY }))).toContain('at most 1 day, not "2 days"')
    expect(refusal(() => parseTimeout('2 days', 'x', { max: 90_000 }))).toContain('at most 90000 seconds, not')
    expect(refusal(() => parseTimeout('never', 'x'))).toContain('not "never". Pass a number')
  })

  it('takes never only where there is no upper limit', () => {
    expect(parseTimeout('never', 'x', { max: Infinity })).toBe(Infinity)
    expect(refusal(() => parseTimeout('never', 'x'))).not.toContain('milliseconds')
  })

  it('refuses what is no duration', () => {
    expect(refusal(() => parseTimeout('', 'idleTimeout'))).toContain('""')
  })
})

describe('parseInstant', () => {
  it('counts durations from now', () => {
    expect(parseInstant(90, T0, 'x')).toBe(T0 + 90_000)
    expect(parseInstant('-90', T0, 'x')).toBe(T0 - 90_000)
    expect(parseInstant('2 weeks', T0, 'x')).toBe(T0 + 14 * DAY * 1000)
    expect(parseInstant('now', T0, 'x')).toBe(T0)
    expect(parseInstant('3 weeks 4 days 2 hours 99 min 0 secs', T0, 'x')).toBe(Date.UTC(2010, 6, 10, 3, 39))
  })

  it('reads never as the latest instant', () => {
    expect(parseInstant('never', T0, 'x')).toBe(NEVER)
  })

  it('takes a Date', () => {
    expect(parseInstant(new Date(5), T0, 'x')).toBe(5)
    expect(refusal(() => parseInstant(new Date(NaN), T0, 'expire'))).toContain('an invalid Date')
  })

  it.each<[string, number]>([
    ['2010-11-03', Date.UTC(2010, 10, 3)],
    ['2010-11-03T20:54Z', Date.UTC(2010, 10, 3, 20, 54)],
    ['2010-11-03T20:54:16Z', Date.UTC(2010, 10, 3, 20, 54, 16)],
    ['2010-11-03T20:54:16.789Z', Date.UTC(2010, 10, 3, 20, 54, 16, 789)],
    ['2010-11-03T20:54:16.123456789+05:30', Date.UTC(2010, 10, 3, 15, 24, 16, 123)],
    ['2010-11-03T20:54:16-08:00', Date.UTC(2010, 10, 4, 4, 54, 16)],
    ['2012-02-29', Date.UTC(2012, 1, 29)],
    ['Wed, 03 Nov 2010 20:54:16 GMT', Date.UTC(2010, 10, 3, 20, 54, 16)],
    ['Wed, 03-Nov-2010 20:54:16 GMT', Date.UTC(2010, 10, 3, 20, 54, 16)],
    ['Sunday, 06-Nov-94 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['Friday, 01-Jan-60 00:00:00 GMT', Date.UTC(2060, 0, 1)],
    ['Sunday, 01-Jan-61 00:00:00 GMT', Date.UTC(1961, 0, 1)],
    ['Sun Nov  6 08:49:37 1994', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['Sun Nov 16 08:49:37 1994', Date.UTC(1994, 10, 16, 8, 49, 37)],
  ])('reads %j', (text, instant) => {
    expect(parseInstant(text, T0, 'x')).toBe(instant)
  })

  it.each([
    '2010-11-03T20:54:16', '2010-11-03 20:54:16Z', '2010-02-30', '2010-13-01', '2010-00-01', '2010-01-00', '2010-11-03T24:00Z', '2010-11-03T20:60Z', '2010-11-03T20:54:60Z',
    '2010-11-03T20:54Z+01:00', '2010-11-03T20:54:16+24:00', '2010-11-03T20:54:16+01:60', '10-11-03', '+002010-11-03', '2010-W44-3',
    'Wed, 03 Nov-2010 20:54:16 GMT', 'Wed, 03 Nov 2010 20:54:16', 'Wed, 03 Nov 2010 20:54:16 UTC', 'Xyz, 03 Nov 2010 20:54:16 GMT', 'Wed, 31 Nov 2010 20:54:16 GMT',
    'Wed, 03 Nov 10 20:54:16 GMT', 'Wed, 03 Nov 2010 25:00:00 GMT', 'Nov 3, 2010', '3 November 2010', '', 'tomorrow', '5 fortnights', '1H', '9'.repeat(15),
  ])('refuses %j and quotes it', (text) => {
    expect(refusal(() => parseInstant(text, T0, 'expire'))).toContain(`expire is not a time: ${JSON.stringify(text)}.`)
  })

  it('refuses a duration that leads past the last instant', () => {
    expect(refusal(() => parseInstant((NEVER - T0) / 1000 + 1, T0, 'expire'))).toContain('expire')
  })

  it.each([undefined, null, true, 10n, {}, Symbol('s')])('refuses a value of another type (%#)', (value) => {
    refusal(() => Reflect.apply(parseInstant, undefined, [value, T0, 'expire']))
  })

  it('reads every instant that Date writes, in ISO and in HTTP form', () => {
    const instant = fc.date({ min: new Date(0), max: new Date(Date.UTC(9999, 11, 31)), noInvalidDate: true })
    fc.assert(fc.property(instant, (date) => {
      expect(parseInstant(date.toISOString(), T0, 'x')).toBe(date.getTime())
      expect(parseInstant(date.toUTCString(), T0, 'x')).toBe(Math.floor(date.getTime() / 1000) * 1000)
    }))
  })
})

function ms(text: string): number {
  return Math.round(parseDuration(text, 'x') * 1000)
}
