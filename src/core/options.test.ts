// What createSessions takes, refuses and fills in, option by option.
import { describe, expect, it } from 'vitest'
import { watched, type Data } from '../../test/internal/watched.ts'
import { createSessions, memoryStore, type SessionsOptions, type Store } from '../index.ts'
import { createManager, coreOf, settingsOf } from './sessions.ts'
import type { CoreOptions } from './options.ts'

const transport = { read: () => [], write() {} }

/** The settings of options, beside a store and a transport. */
function settings(options: object = {}) {
  const made = settingsOf(createManager<Data>({ store: memoryStore(), transport, ...options }))
  if (made === undefined) throw new Error('The manager has no settings.')
  return made
}

const refused = (...parts: readonly string[]): unknown => expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(new RegExp(`^The options of createSessions are wrong: .*${parts.map((part) => part.replaceAll(/[.*+?()[\]{}|^$\\]/g, '\\$&')).join('.*')}`, 's')) })

describe('left out', () => {
  it('every option has its default', () => {
    const made = settings()
    expect(made.deadlines).toEqual({ idle: 1_800_000, absolute: 86_400_000, touchAfter: 180_000 })
    expect(made).toMatchObject({ lazy: false, onGone: 'continue', onStoreError: 'fail', commit: 'end', onThrow: 'discard', storeTimeoutMs: 2000, sweepEveryMs: 300_000, maxSessionBytes: 262_144, clock: Date.now })
    expect([made.bind, made.validate, made.continuations, made.index.size, made.merge.size, made.transports.length]).toEqual([undefined, undefined, undefined, 0, 0, 1])
    expect([0, 200, 404, 499, 500, 503].map((status) => made.commitWhen(status))).toEqual([true, true, true, true, false, false])
    expect(made.random(9)).toHaveLength(9)
  })

  it('a touch comes after a tenth of the shortest timeout, in whole milliseconds', () => {
    expect(settings({ idleTimeout: 'never', absoluteTimeout: 100 }).deadlines).toEqual({ idle: Infinity, absolute: 100_000, touchAfter: 10_000 })
    expect(settings({ idleTimeout: 'never', absoluteTimeout: 'never' }).deadlines).toEqual({ idle: Infinity, absolute: Infinity, touchAfter: 40 * 86_400_000 })
    expect(settings({ idleTimeout: 1.2345 }).deadlines.touchAfter).toBe(123)
    expect(settings({ idleTimeout: 1.001 }).deadlines.idle).toBe(1001)
  })
})

describe('given', () => {
  it('every option is used', () => {
    const clock = (): number => 5.9
    const random = (size: number): Uint8Array => new Uint8Array(size).fill(1)
    const merge = (): number => 7
    const made = settings({ idleTimeout: '1 hour', absoluteTimeout: '2 hours', touchAfter: 0, index: ['n'], merge: { n: merge }, maxSessionBytes: 1024, load: 'lazy', onGone: 'fail', onStoreError: 'degrade', commit: 'manual', onThrow: 'keep', storeTimeout: 0.001, sweepEvery: 1, clock, random, transport: [transport, transport] })
    expect(made.deadlines).toEqual({ idle: 3_600_000, absolute: 7_200_000, touchAfter: 0 })
    expect(made).toMatchObject({ lazy: true, onGone: 'fail', onStoreError: 'degrade', commit: 'manual', onThrow: 'keep', storeTimeoutMs: 1, sweepEveryMs: 1000, maxSessionBytes: 1024, random })
    // Not every store can keep a fraction.
    expect(made.clock()).toBe(5)
    expect([[...made.index], made.merge.get('n')?.(1, 2, 3), made.transports.length, settings({ sweepEvery: 'never' }).sweepEveryMs]).toEqual([['n'], 7, 2, undefined])
    expect(made.tokens.make().id).toBe('AQEBAQEBAQEBAQEBAQEBAQ')
  })

  it('a touch interval may be as long as the idle timeout, and a timeout as long as a cookie may live', () => {
    expect(settings({ idleTimeout: 60, touchAfter: 60 }).deadlines.touchAfter).toBe(60_000)
    expect(settings({ idleTimeout: '400 days', absoluteTimeout: '400 days' }).deadlines.absolute).toBe(400 * 86_400_000)
    expect(settings({ idleTimeout: '1 day' }).deadlines.idle).toBe(86_400_000)
    expect(settings({ idleTimeout: 1, storeTimeout: 60, sweepEvery: '20 days' })).toMatchObject({ storeTimeoutMs: 60_000, sweepEveryMs: 20 * 86_400_000 })
  })

  it('the size is what the store takes, where that is less', () => {
    const store: Store = { ...watched().store, maxBytes: 3000 }
    expect([settings({ store }).maxSessionBytes, settings({ store, maxSessionBytes: 2000 }).maxSessionBytes, settings({ store, maxSessionBytes: 4000 }).maxSessionBytes, settings({ store: () => store }).maxSessionBytes]).toEqual([3000, 2000, 3000, 262_144])
  })

  it('the user agent is a binding to that header', () => {
    const { bind } = settings({ bind: 'user-agent' })
    const exchange = { header: (name: string): string | undefined => (name === 'user-agent' ? 'curl' : undefined) }
    expect([bind === undefined ? undefined : Reflect.apply(bind, undefined, [exchange]), bind === undefined ? undefined : Reflect.apply(bind, undefined, [{ header: () => undefined }])]).toEqual(['curl', ''])
  })

  it('the security takes the settings and gives those to work with', () => {
    const seen: unknown[] = []
    const made = settings({ commit: 'manual', security: { apply: (given: object) => { seen.push(Reflect.get(given, 'commit')); return { ...given, commit: 'immediate' } } } })
    expect([seen, made.commit]).toEqual([['manual'], 'immediate'])
  })

  it('one hook or several are a list', () => {
    const hook = (): void => {}
    expect([createSessions({ onStart: hook }).onStart, createSessions({ onStart: [hook, hook] }).onStart, createSessions().onStart]).toEqual([[hook], [hook, hook], []])
  })
})

describe('refused, in words that name the option and what to pass,', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['no options at all', 'text', ['was not given an object', 'Pass an object of options']],
    ['null', null, ['was not given an object']],
    ['an option that is none', { nope: 1 }, ['there is no option "nope"', 'store, transport, idleTimeout']],
    ['a long name that is none', { ['x'.repeat(80)]: 1 }, [`"${'x'.repeat(60)}"`]],
    ['a store without read', { store: { create() {}, patch() {}, end() {} } }, ['store has no method read', 'expressStore(store)']],
    ['a store without create', { store: { read() {}, patch() {}, end() {} } }, ['store has no method create']],
    ['a store without patch', { store: { read() {}, create() {}, end() {} } }, ['store has no method patch']],
    ['a store without end', { store: { read() {}, create() {}, patch() {} } }, ['store has no method end']],
    ['null for a store', { store: null }, ['store has no method read']],
    ['an empty list of transports', { transport: [] }, ['transport is an empty list', 'cookieTransport()']],
    ['a transport without write', { transport: { read() {} } }, ['transport has no methods read and write', 'bearerTransport()']],
    ['a transport without read', { transport: { write() {} } }, ['transport has no methods read and write']],
    ['a second transport that is none', { transport: [transport, null] }, ['transport has no methods read and write']],
    ['an idle timeout longer than the absolute one', { idleTimeout: 61, absoluteTimeout: 60 }, ['idleTimeout is longer than absoluteTimeout', 'Raise absoluteTimeout']],
    ['a touch interval longer than the idle timeout', { idleTimeout: 60, touchAfter: 61 }, ['touchAfter is longer than idleTimeout', 'a tenth']],
    ['an index that is no list', { index: 'n' }, ['index is not a list of data keys', "index: ['userId']"]],
    ['an index of something else', { index: [1] }, ['index is not a list']],
    ['a merge that is no function', { merge: { n: 1 } }, ['merge.n is not a function', '(base, theirs, mine)']],
    ['a codec without decode', { codec: { encode() {} } }, ['codec has no methods encode and decode', 'sealingCodec(keys)']],
    ['a codec without encode', { codec: { decode() {} } }, ['codec has no methods encode and decode']],
    ['continuations that are none', { continuations: {} }, ['continuations is not what continuations() makes', 'sojourn/continuations']],
    ['a security that is none', { security: {} }, ['security is not what security() makes', 'sojourn/security']],
    ['a size that is no whole number', { maxSessionBytes: 2000.5 }, ['maxSessionBytes is not a whole number of bytes from 1024', '64 * 1024']],
    ['a size too small', { maxSessionBytes: 1023 }, ['maxSessionBytes']],
    ['a load that is none', { load: 'soon' }, ['load is "soon"', 'Pass "eager" or "lazy"']],
    ['an onGone that is none', { onGone: 'x' }, ['onGone is "x"', '"continue" or "fail"']],
    ['an onStoreError that is none', { onStoreError: 'x' }, ['onStoreError is "x"', '"fail" or "degrade"']],
    ['a commit that is none', { commit: 'x' }, ['commit is "x"', '"end" or "immediate" or "manual"']],
    ['an onThrow that is none', { onThrow: 'x' }, ['onThrow is "x"', '"discard" or "keep"']],
    ['a hook that is none', { onStart: 'x' }, ['onStart is not a function', 'Pass a function']],
    ['a hook among others that is none', { onStart: [() => {}, 5] }, ['onStart is not a function']],
    ['an onAccess that is none', { onAccess: 5 }, ['onAccess is not a function']],
    ['a bind that is none', { bind: 'ip' }, ['bind is not a function']],
    ['a commitWhen that is none', { commitWhen: 500 }, ['commitWhen is not a function']],
    ['a clock that is none', { clock: 5 }, ['clock is not a function']],
    ['a random that is none', { random: 5 }, ['random is not a function']],
  ])('%s', (_what, options, parts) => {
    const whole: unknown = typeof options === 'object' && options !== null ? { store: memoryStore(), transport, ...options } : options
    expect(() => Reflect.apply(createManager, undefined, [whole])).toThrow(refused(...parts))
  })

  it.each<[string, object, string]>([
    ['an idle timeout below a second', { idleTimeout: 0.5 }, 'idleTimeout must be at least 1 second'],
    ['an absolute timeout over 400 days', { absoluteTimeout: '401 days' }, 'absoluteTimeout must be at most 400 days'],
    ['a negative touch interval', { touchAfter: -1 }, 'touchAfter must be at least 0 seconds'],
    ['a store timeout of nothing', { storeTimeout: 0 }, 'storeTimeout must be at least 0.001 seconds'],
    ['a store timeout over a minute', { storeTimeout: 61 }, 'storeTimeout must be at most 60 seconds'],
    ['sweeps more often than each second', { sweepEvery: 0.5 }, 'sweepEvery must be at least 1 second'],
    ['sweeps more rarely than 20 days', { sweepEvery: '21 days' }, 'sweepEvery must be at most 20 days'],
    ['a duration that is none', { sweepEvery: 'x' }, 'sweepEvery is not a length of time'],
  ])('%s', (_what, options, message) => {
    expect(() => settings(options)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(message) }))
  })
})

describe('the inside of a manager', () => {
  it('is there for one that was made here, and for nothing else', () => {
    const sessions = createSessions<Data>()
    expect([coreOf(sessions) === undefined, settingsOf(sessions)?.lazy]).toEqual([false, false])
    expect([Reflect.apply(coreOf, undefined, [{}]), Reflect.apply(settingsOf, undefined, [{}])]).toEqual([undefined, undefined])
  })

  it('takes each option that createSessions takes, but its cookie', () => {
    const options: CoreOptions<Data> = { store: memoryStore(), transport }
    const more: SessionsOptions<Data> = { cookie: { name: 'shop' } }
    expect(() => createManager<Data>({ ...options, ...more })).toThrow(refused('there is no option "cookie"'))
    expect(createSessions<Data>(more)).toBeDefined()
  })
})
