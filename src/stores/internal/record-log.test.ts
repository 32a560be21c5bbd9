import { strict as assert } from 'node:assert'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { isSessionError } from '../../core/errors.ts'
import { makeEntries, parseRecord, stringifyRecord, type SessionRecord } from '../../core/record.ts'
import { decodeBase, encodeBase, encodeLine, judge, replay, type Change, type LogState, type RecordSerializer } from './record-log.ts'

const serializer: RecordSerializer = { stringify: stringifyRecord, parse: parseRecord }

function aRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: 1, touchedAt: 1, expiresAt: 1000, tokenHash: 'hash', nonce: 'first', index: ['term'], entries: Object.assign(makeEntries(), { 'd:a': '"1"' }), ...changes }
}

const base = encodeBase(aRecord(), serializer)
const changes: readonly Change[] = [
  { patch: { now: 5, nonce: 'n1', tokenHash: 'hash', set: [['d:b', '"é\ud800\u0000\n"'], ['d:__proto__', '1']], remove: ['d:a'], expect: [['d:a', '"1"'], ['d:c', null]], touchedAt: 5, expiresAt: 2000, index: ['term', 'other'] } },
  { patch: { now: 6, nonce: 'n2', tokenHash: 'hash', rotateTo: 'hash 2', expiresAt: 1500, deadline: 'replace' } },
  { end: { because: 'revoked', at: 7 } },
]
const lines = changes.map((change, n) => encodeLine(`by ${n}`, change))

function decode(bytes: Buffer, mine?: string): { readonly state: LogState; readonly end: number; readonly verdict?: unknown } {
  const begun = decodeBase(bytes, serializer)
  const went = replay(begun.state, bytes.subarray(begun.end), mine)
  return { ...went, end: begun.end + went.end }
}

/** The records that the log passes through, from its beginning on. */
function statesOf(): readonly string[] {
  const states = [decodeBase(base, serializer).state]
  for (const change of changes) states.push(judge(states.at(-1) ?? decodeBase(base, serializer).state, change).state)
  return states.map((state) => JSON.stringify(state))
}

function isUnreadable(error: unknown): boolean {
  return isSessionError(error, 'ERR_SESSION_UNREADABLE')
}

describe('a log', () => {
  it('is text: the record, and a line for each change', () => {
    const text = Buffer.concat([base, ...lines]).toString()
    assert.match(text, /^sojourn 1 [0-9a-f]{8} \d+\n\{"format":1,.*\}\n(\n[0-9a-f]{8} \d+ \{"by":"by \d",.*\}\n){3}$/)
  })

  it('replays each change as it was judged', () => {
    const whole = Buffer.concat([base, ...lines])
    assert.equal(JSON.stringify(decode(whole).state), statesOf().at(-1))
    assert.deepEqual(decode(whole, 'by 1').verdict, { status: 'ok', version: 3 })
    assert.equal(decode(whole, 'by 9').verdict, undefined)
    assert.equal(decode(whole).end, whole.length)
  })

  it('keeps every change that a caller can make, of any keys and texts', () => {
    const text = fc.string({ unit: 'binary' })
    const pairs = fc.array(fc.tuple(text, text))
    const patch = fc.record({ now: fc.nat(), nonce: text, tokenHash: text, rotateTo: text, set: pairs, remove: fc.array(text), expect: fc.array(fc.tuple(text, fc.option(text))), touchedAt: fc.nat(), expiresAt: fc.nat(), deadline: fc.constant('replace' as const), index: fc.array(text) }, { requiredKeys: ['now', 'nonce'] })
    fc.assert(fc.property(patch, (patch) => {
      const { state } = decode(base)
      const { tokenHash: _hash, expect: _expect, ...byId } = { ...patch, now: 0 }
      const line = encodeLine('x', { patch: byId })
      assert.equal(JSON.stringify(replay(state, line).state), JSON.stringify(judge(state, { patch: byId }).state))
    }), { numRuns: 50 })
  })

  it('counts a change only when all of its line is there: cut off at every length it is the state before', () => {
    const states = statesOf()
    for (const [n, line] of lines.entries()) {
      const before = Buffer.concat([base, ...lines.slice(0, n)])
      for (let length = 0; length < line.length; length += 1) {
        const { state, end } = decode(Buffer.concat([before, line.subarray(0, length)]))
        // The last byte is the newline after the line.
        assert.equal(JSON.stringify(state), length === line.length - 1 ? states[n + 1] : states[n], `cut off at ${length}`)
        assert.ok(end <= before.length + length)
      }
    }
  })

  it('goes on after a line that was cut off at any length, and after several of them', () => {
    const [first, second] = [encodeLine('a', { patch: { now: 5, nonce: 'a', set: [['d:x', '1']] } }), encodeLine('b', { patch: { now: 5, nonce: 'b', set: [['d:y', '1']] } })]
    for (let length = 0; length < first.length - 1; length += 1) {
      const torn = first.subarray(0, length)
      const { state } = decode(Buffer.concat([base, torn, torn, second.subarray(0, 1), second]))
      assert.deepEqual(Object.keys(state.record?.entries ?? {}), ['d:a', 'd:y'])
    }
  })

  it('sees a line that grows while it is read as absent, and then as whole', () => {
    const [line] = lines
    assert.ok(line !== undefined)
    const whole = Buffer.concat([base, line])
    for (let length = base.length; length <= whole.length; length += 1) {
      const partly = decode(whole.subarray(0, length))
      const further = replay(partly.state, whole.subarray(partly.end))
      assert.equal(JSON.stringify(further.state), statesOf()[1], `read at ${length}`)
    }
  })

  it('is unreadable when any one bit of it is another, and never says anything else', () => {
    const whole = Buffer.concat([base, ...lines])
    const states = [statesOf().at(-1)]
    let refused = 0
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const damaged = Buffer.from(whole)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      try {
        // Only the newlines between two lines can be another character without harm, as none of the text.
        assert.ok(states.includes(JSON.stringify(decode(damaged).state)), `bit ${bit} changes the record`)
      } catch (error) {
        assert.ok(isUnreadable(error), String(error))
        refused += 1
      }
    }
    assert.ok(refused > whole.length * 8 - 100, `${refused} of ${whole.length * 8}`)
  })

  it('is unreadable, or an earlier state, wherever the file was truncated', () => {
    const whole = Buffer.concat([base, ...lines])
    const states = statesOf()
    for (let length = 0; length < whole.length; length += 1) {
      try {
        assert.ok(states.includes(JSON.stringify(decode(whole.subarray(0, length)).state)))
      } catch (error) {
        assert.ok(isUnreadable(error), String(error))
        assert.ok(length < base.length - 1)
      }
    }
  })

  it('is unreadable when it is empty, zeros, or anything at all', () => {
    for (const text of ['', '\n', '\0'.repeat(4096), '{"format":1}', 'sojourn 1', 'sojourn 1 00000000 0\n', 'sojourn 1 00000000 99999999999999999999\n{}']) assert.throws(() => decode(Buffer.from(text)), isUnreadable)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(() => decode(Buffer.from(bytes)), isUnreadable)
    }))
  })

  it('is unreadable when something that is no line follows', () => {
    for (const text of ['\0'.repeat(100), 'hello', '\nhello\n', '\n00000000 2 {}\n', '\n\n{"by":"x"}\n']) assert.throws(() => decode(Buffer.concat([base, Buffer.from(text)])), isUnreadable, JSON.stringify(text))
  })
})

describe('a log of another version', () => {
  const lineOf = (value: unknown): Buffer => {
    const json = Buffer.from(JSON.stringify(value))
    return Buffer.from(`\n${crc32(json).toString(16).padStart(8, '0')} ${json.length} ${json.toString()}\n`)
  }

  it('is unreadable: its beginning, its record, or a line that this version does not know', () => {
    assert.throws(() => decode(Buffer.from(base.toString().replace('sojourn 1', 'sojourn 2'))), isUnreadable)
    assert.throws(() => decode(encodeBase(aRecord(), { ...serializer, stringify: (record) => JSON.stringify({ ...record, format: 2 }) })), isUnreadable)
    const patch = { now: 1, nonce: 'n' }
    const odd = [null, 1, [], {}, { by: 'x' }, { by: 1, seal: true }, { by: 'x', merge: {} }, { by: 'x', seal: 1 }, { by: 'x', patch }, { by: 'x', patch: { ...patch, more: 1 } }, { by: 'x', patch: { ...patch, set: [['a']] } }, { by: 'x', patch: { ...patch, expect: [['a', 1]] } }, { by: 'x', patch: { ...patch, deadline: 'later' } }, { by: 'x', end: { because: 'bored', at: 1 } }, { by: 'x', drop: { by: 'size', time: 1 } }]
    const refused = odd.filter((value) => {
      try {
        decode(Buffer.concat([base, lineOf(value)]))
        return false
      } catch (error) {
        return isUnreadable(error)
      }
    })
    assert.deepEqual(refused, odd.filter((value) => JSON.stringify(value) !== JSON.stringify({ by: 'x', patch })))
  })

  it('is never written: a field that a patch has besides is left out', () => {
    const line = encodeLine('x', { patch: Object.assign({ now: 5, nonce: 'n' }, { surprise: 1 }) })
    assert.equal(decode(Buffer.concat([base, line])).state.record?.nonce, 'n')
  })
})

describe('a serializer', () => {
  it('may write several lines, and text that looks like a change', () => {
    const lines: RecordSerializer = { stringify: (record) => `\n\n00000000 2 {}\n${JSON.stringify(record, undefined, 2)}\n`, parse: (text) => JSON.parse(text.slice(text.indexOf('{}') + 2)) }
    const bytes = encodeBase(aRecord(), lines)
    assert.deepEqual({ ...decodeBase(bytes, lines).state.record?.entries }, { 'd:a': '"1"' })
  })

  it('is not trusted: what it answers is checked, and what it throws makes the record unreadable', () => {
    for (const parse of [() => undefined, () => ({}), () => ({ ...aRecord(), version: '1' }), () => { throw new Error('no') }]) {
      assert.throws(() => decodeBase(base, { ...serializer, parse }), isUnreadable)
    }
  })
})

describe('a change after the log was closed', () => {
  const open = decodeBase(base, serializer).state
  const patch: Change = { patch: { now: 5, nonce: 'x', set: [['d:x', '1']] } }

  it('is void after a seal, also an end, a drop and another seal', () => {
    const sealed = judge(open, { seal: true }).state
    for (const change of [patch, ...changes, { drop: { by: 'expires', time: 9999 } }, { seal: true }] satisfies Change[]) {
      assert.deepEqual(judge(sealed, change), { state: sealed, verdict: { status: 'void' } })
    }
  })

  it('is gone after a drop', () => {
    const dropped = judge(open, { drop: { by: 'dead', time: 1000 } }).state
    assert.deepEqual([dropped.phase, dropped.record, dropped.terms], ['dropped', undefined, ['term']])
    for (const change of [patch, ...changes, { drop: { by: 'expires', time: 9999 } }, { seal: true }] satisfies Change[]) {
      assert.deepEqual(judge(dropped, change), { state: dropped, verdict: { status: 'gone' } })
    }
  })

  it('remembers the terms of a record that ended', () => {
    assert.deepEqual(judge(open, { end: { because: 'revoked', at: 1 } }).state.terms, ['term'])
  })

  it('drops by the rule alone: at the deadline, and tombstones by their own', () => {
    const ended = judge(open, { end: { because: 'revoked', at: 100 } }).state
    const taken = (state: LogState, by: 'dead' | 'expires' | 'touched' | 'created', time: number): boolean => judge(state, { drop: { by, time } }).state.phase === 'dropped'
    assert.deepEqual([taken(open, 'expires', 999), taken(open, 'expires', 1000), taken(open, 'dead', 999), taken(open, 'dead', 1000)], [false, true, false, true])
    assert.deepEqual([taken(open, 'touched', 1), taken(open, 'touched', 2), taken(open, 'created', 1), taken(open, 'created', 2)], [false, true, false, true])
    assert.deepEqual([taken(ended, 'touched', 999), taken(ended, 'created', 999), taken(ended, 'expires', 60_099), taken(ended, 'expires', 60_100), taken(ended, 'dead', 1)], [false, false, false, true, true])
  })
})
