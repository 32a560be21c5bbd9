import { strict as assert } from 'node:assert'
import * as fc from 'fast-check'
import { localTarget } from '../../src/continuations/target.ts'
import { parseEnvelope, parseRequest, parseReturn } from '../../src/continuations/internal/stored.ts'
import { flatText } from '../../src/codecs/flat-text.ts'
import { decodeValue, encodeValue } from '../../src/core/codec.ts'
import { parseDuration, parseInstant } from '../../src/core/duration.ts'
import { isSessionError, type SessionErrorCode } from '../../src/core/errors.ts'
import { cookieValues } from '../../src/core/internal/cookie-values.ts'
import { queryOf, withParameters } from '../../src/core/internal/parameters.ts'
import { Signer } from '../../src/core/internal/signer.ts'
import { applyPatch } from '../../src/core/patch.ts'
import { parseRecord, recordFrom, stringifyRecord, type SessionRecord } from '../../src/core/record.ts'
import { defaultTokenFormat, systemRandom } from '../../src/core/token.ts'
import { createSessions } from '../../src/index.ts'
import { sealingCodec } from '../../src/security/sealing-codec.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { escapeText, unescapeText } from '../../src/stores/internal/escape.ts'
import { decodeBase, encodeBase, encodeLine, replay } from '../../src/stores/internal/record-log.ts'
import { fieldsOf, recordFromReply } from '../../src/stores/internal/redis-record.ts'
import { recordFromRow } from '../../src/stores/internal/sql-row.ts'
import { simpleStore } from '../../src/stores/simple.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { windowState } from '../../src/window-state.ts'
import { anyPatch, anyRecord, anyText } from '../internal/arbitrary-records.ts'
import { mutatedBytes, mutatedText } from './mutate.ts'

/** Something that takes what comes from outside. */
export interface Target {
  readonly name: string
  /** Gives it so many inputs. Throws with the shrunk input when one does what none may. */
  fuzz(inputs: number, seed: number): Promise<void>
}

type Checked = (inputs: number, seed: number) => void | Promise<void>

function synchronous<Input>(input: fc.Arbitrary<Input>, take: (input: Input) => void): Checked {
  return (numRuns, seed) => fc.assert(fc.property(input, take), { numRuns, seed })
}

/** Runs what may fail with one of these codes and with nothing else. */
function answerOf<T>(codes: readonly SessionErrorCode[], run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (codes.some((code) => isSessionError(error, code))) return undefined
    throw error
  }
}

const recordOr = (run: () => SessionRecord | undefined): void => {
  const record = answerOf(['ERR_SESSION_UNREADABLE'], run)
  // What was read is a record in all its parts: it can be written and patched.
  if (record === undefined) return
  assert.deepEqual(parseRecord(stringifyRecord(record)), parseRecord(stringifyRecord(recordFrom(record))))
  applyPatch(record, { now: 0, nonce: 'n', set: [['d:a', '1']] })
}

const token = fc.constant(null).map(() => `${'A'.repeat(22)}.${'B'.repeat(43)}`)
const cookieHeader = fc.array(fc.tuple(fc.constantFrom('sid', ' sid', 'SID', '__Host-sid', 'x', ''), fc.oneof(token, anyText)), { maxLength: 8 }).map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('; '))
const values = fc.oneof(
  fc.anything({ withDate: true, withMap: true, withSet: true, withTypedArray: true, withBigInt: true, withSparseArray: true, maxDepth: 4 }),
  fc.jsonValue(), anyText, fc.constantFrom(new Date(0), /a+/g, new URL('http://x/y?z'), [undefined, -0, Number.NaN]),
)
const encodedValue = values.map((value) => answerOf(['ERR_SESSION_VALUE'], () => encodeValue(value)) ?? '~[]')
const PLACE = { id: 'id', key: 'd:x' }
const KEY = '1'.repeat(64)
const sealing = sealingCodec([KEY])
const windows = windowState({ keys: [KEY] })
const json = { stringify: stringifyRecord, parse: (text: string): unknown => JSON.parse(text) }
const durations = fc.array(fc.oneof(fc.constantFrom('1', '30', '.5', ' ', 'minutes', 'h', 'm', 'and', ',', ':', '-', '+', 'now', 'never', 'GMT', 'Mon, ', '2030-01-01', 'T00:00:00', 'Z', '+01:00'), anyText), { maxLength: 12 }).map((parts) => parts.join(''))

const CHECKS: Readonly<Record<string, Checked>> = {
  'cookie header': synchronous(mutatedText(cookieHeader), (header) => {
    for (const name of ['sid', '__Host-sid']) for (const value of cookieValues(header, name)) assert.ok(header.includes(value))
  }),
  token: synchronous(mutatedText(token), (text) => {
    const parsed = defaultTokenFormat(systemRandom).parse(text)
    if (parsed !== undefined) assert.equal(`${parsed.id}.${parsed.secret}`, text)
  }),
  duration: synchronous(mutatedText(durations), (text) => {
    const seconds = answerOf(['ERR_SESSION_OPTION'], () => parseDuration(text, 'x'))
    assert.ok(seconds === undefined || !Number.isNaN(seconds))
    const instant = answerOf(['ERR_SESSION_OPTION'], () => parseInstant(text, 1e12, 'x'))
    assert.ok(instant === undefined || Number.isFinite(instant))
  }),
  'record as text (sqlite, file, cache, memcached, simple, express)': synchronous(mutatedText(anyRecord.map(stringifyRecord)), (text) => recordOr(() => parseRecord(text))),
  'record as flat text': synchronous(mutatedText(anyRecord.map(flatText.stringify)), (text) => recordOr(() => flatText.parse(text))),
  'record as anything': synchronous(fc.oneof(fc.anything(), fc.record({ version: fc.anything(), createdAt: fc.nat(), touchedAt: fc.nat(), expiresAt: fc.nat(), tokenHash: fc.string(), nonce: fc.string(), index: fc.anything(), entries: fc.anything(), ended: fc.anything(), previous: fc.anything() })), (value) => recordOr(() => recordFrom(value))),
  'log of the file store': synchronous(
    mutatedBytes(fc.tuple(anyRecord, fc.array(anyPatch, { maxLength: 4 })).map(([record, patches]) => Buffer.concat([encodeBase(record, json), ...patches.map((patch, at) => encodeLine(`by${at}`, { patch }))]))),
    (bytes) => recordOr(() => {
      const { state, end } = decodeBase(bytes, json)
      return replay(state, bytes.subarray(end)).state.record
    }),
  ),
  'reply of Redis': synchronous(fc.tuple(anyRecord, fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.oneof(anyText, fc.constant(null), fc.nat())), { maxLength: 3 })), ([record, changes]) => {
    const fields: unknown[] = fieldsOf(record)
    for (const [at, value] of changes) fields[Math.floor(at * fields.length)] = value
    recordOr(() => recordFromReply(fields))
    recordOr(() => recordFromReply(Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, at) => [String(fields[at * 2]), fields[at * 2 + 1]]))))
  }),
  'row of PostgreSQL and MySQL': synchronous(
    fc.tuple(anyRecord, mutatedText(anyRecord.map(({ entries }) => JSON.stringify(entries))), mutatedText(fc.constant('["a","b"]')), fc.array(fc.tuple(fc.nat(11), fc.oneof(fc.anything(), anyText)), { maxLength: 2 })),
    ([record, entries, terms, changes]) => {
      const row: unknown[] = [record.version, String(record.createdAt), BigInt(record.touchedAt), record.expiresAt, record.tokenHash, null, null, record.nonce, terms, entries, null, null]
      for (const [at, value] of changes) row[at] = value
      recordOr(() => recordFromRow(row, unescapeText))
    },
  ),
  escape: synchronous(mutatedText(anyText), (text) => {
    assert.equal(unescapeText(escapeText(text)), text)
    unescapeText(text)
  }),
  codec: synchronous(mutatedText(encodedValue), (text) => {
    const value = answerOf(['ERR_SESSION_UNREADABLE'], () => decodeValue(text))
    const again = answerOf(['ERR_SESSION_VALUE'], () => encodeValue(value))
    if (again !== undefined) assert.equal(encodeValue(decodeValue(again)), again)
    assert.equal(Reflect.ownKeys(Object.prototype).length, PROTOTYPE_KEYS)
  }),
  'sealing codec': synchronous(fc.tuple(anyText, fc.integer()).chain(([text]) => fc.tuple(fc.constant(text), mutatedText(fc.constant(sealing.encode(text, PLACE))))), ([text, sealed]) => {
    const opened = answerOf(['ERR_SESSION_UNREADABLE'], () => sealing.decode(sealed, PLACE))
    // Only padding bits of the last character can differ without breaking the seal.
    assert.ok(opened === undefined || opened === text)
  }),
  'signed address and saved request': synchronous(fc.tuple(mutatedText(fc.constant(new Signer([KEY], 'a test', 'fuzz').sign('p', '/a?b=c'))), mutatedText(fc.webPath({ size: 'small' })), fc.anything()), ([signed, url, value]) => {
    const opened = new Signer([KEY], 'a test', 'fuzz').open('p', signed)
    assert.ok(opened === undefined || opened === '/a?b=c')
    const local = localTarget(url)
    if (local !== undefined) assert.equal(new URL(local, 'http://here.invalid').host, 'here.invalid')
    queryOf(url)
    // Ids come from a URL, which holds no lone surrogate.
    withParameters(url, { c: url.toWellFormed() })
    for (const parse of [parseEnvelope, parseRequest, parseReturn]) parse(value)
    parseRequest({ url, method: value, fields: value, parent: value, map: value, messages: value, values: value })
  }),
  'state of a window': synchronous(mutatedText(fc.constant(windows.link('/a?b=c#d', { step: 1 }))), (url) => {
    assert.ok(['{}', '{"step":1}'].includes(JSON.stringify(windows.read(url))))
    windows.link(url, { step: 2 })
  }),
  'sealed cookie, to the end of the request': visits(sealedCookies),
  'tampered store, to the end of the request': visits(tamperedStore),
}

const PROTOTYPE_KEYS = Reflect.ownKeys(Object.prototype).length

export const targets: readonly Target[] = Object.entries(CHECKS).map(([name, check]) => ({ name, fuzz: async (inputs, seed) => check(inputs, seed) }))

type Visit<Input> = readonly [input: fc.Arbitrary<Input>, visit: (input: Input) => Promise<void>]

function visits<Input>(prepare: () => Promise<Visit<Input>>): Checked {
  return async (numRuns, seed) => {
    const [input, visit] = await prepare()
    await fc.assert(fc.asyncProperty(input, visit), { numRuns, seed })
  }
}

type Data = Record<string, unknown>

async function sealedCookies(): Promise<Visit<string>> {
  const sessions = createSessions<Data>({ store: cookieStore({ keys: [KEY], name: 'sid' }) })
  const first = new TestExchange()
  const session = await sessions.open(first)
  session.set('note', 'x'.repeat(4000))
  await session.login('ada')
  await sessions.finish(session)
  const cookies = first.setCookies.map((line) => line.split(';')[0]).join('; ')
  return [mutatedText(fc.constant(cookies)), async (cookie) => {
    const exchange = new TestExchange({ headers: { cookie } })
    const opened = await sessions.open(exchange)
    const owner = opened.owner
    assert.ok(owner === undefined || (owner === 'ada' && opened.get('note') === 'x'.repeat(4000)))
    await sessions.finish(opened)
  }]
}

async function tamperedStore(): Promise<Visit<string>> {
  const texts = new Map<string, string>()
  const sessions = createSessions<Data>({ store: simpleStore({ load: (id) => texts.get(id), store: (id, text) => void texts.set(id, text) }), sweepEvery: 'never' })
  const made = await sessions.create()
  made.set('note', { list: [new Date(0)], set: new Set([1]) })
  made.set('plain', { a: [1, 2, { b: null }] })
  await made.commit()
  const { token: own = '', id } = made
  const valid = texts.get(id) ?? ''
  return [mutatedText(fc.constant(valid)), async (text) => {
    texts.clear()
    texts.set(id, text)
    const opened = await sessions.open(new TestExchange({ headers: { cookie: `__Host-sid=${own}` } }))
    opened.toObject()
    if (text.length % 2 === 0) opened.set('more', 1)
    await sessions.finish(opened)
    assert.ok(texts.size <= 2)
  }]
}
