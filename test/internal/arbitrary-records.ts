import * as fc from 'fast-check'
import type { Patch } from '../../src/core/patch.ts'
import { makeEntries, NEVER, type Entries, type SessionRecord } from '../../src/core/record.ts'

/** Any text that JavaScript can hold, lone surrogates and NUL among it. */
export const anyText = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('', '0', '__proto__', 'constructor', 'toString', '\0', '\ud800', '\udc00', '1.0', '{"a":1,"a":2}'),
)

export const anyEntries: fc.Arbitrary<Entries> = fc.array(fc.tuple(anyText, anyText), { maxLength: 6 }).map((pairs) => {
  const entries = makeEntries()
  for (const [key, text] of pairs) entries[key] = text
  return entries
})

const anyTime = fc.oneof(fc.nat(10_000), fc.constantFrom(0, NEVER, 1_700_000_000_000))
const anyHash = fc.constantFrom('one hash', 'two hash', 'three hash')
const anyTerms = fc.uniqueArray(fc.constantFrom('red', 'blue', 'green'))

export const anyRecord: fc.Arbitrary<SessionRecord> = fc.record({
  version: fc.nat(),
  createdAt: anyTime,
  touchedAt: anyTime,
  expiresAt: anyTime,
  tokenHash: anyHash,
  nonce: anyText,
  index: anyTerms,
  entries: anyEntries,
  previous: fc.record({ tokenHash: anyHash, rotatedAt: anyTime }),
  ended: fc.record({ because: fc.constantFrom('destroyed', 'revoked', 'replaced', 'expired-idle', 'expired-absolute'), at: anyTime }),
}, { requiredKeys: ['version', 'createdAt', 'touchedAt', 'expiresAt', 'tokenHash', 'nonce', 'index', 'entries'] })

/** A record that is live at 5,000. */
export const liveRecord: fc.Arbitrary<SessionRecord> = anyRecord.map(({ ended: _ended, ...record }) => ({ ...record, expiresAt: Math.max(record.expiresAt, 5_001) }))

/** A patch at 5,000, with every field now and then. Keys and texts are few, so that patches meet. */
export const anyPatch: fc.Arbitrary<Patch> = fc.record({
  now: fc.constant(5_000),
  nonce: fc.uuid(),
  tokenHash: anyHash,
  rotateTo: anyHash,
  set: fc.array(fc.tuple(fc.constantFrom('d:a', 'd:b', '__proto__'), anyText), { maxLength: 3 }),
  remove: fc.array(fc.constantFrom('d:a', 'd:b', '__proto__'), { maxLength: 2 }),
  expect: fc.array(fc.tuple(fc.constantFrom('d:a', 'd:b', '__proto__'), fc.oneof(anyText, fc.constant(null))), { maxLength: 2 }),
  touchedAt: anyTime,
  expiresAt: anyTime,
  deadline: fc.constant('replace' as const),
  index: anyTerms,
}, { requiredKeys: ['now', 'nonce'] })
