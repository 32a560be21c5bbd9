import { strict as assert } from 'node:assert'
import { applyPatch, type Patch, type PatchResult } from '../../core/patch.ts'
import { isLive, tombstone, type SessionRecord } from '../../core/record.ts'
import type { Store } from '../../core/store.ts'
import { numbersFrom, pick, type Numbers } from './numbers.ts'
import { assertSameRecord, entriesOf, HOUR, newId, newRecord, NOW, type StoreCase } from './trial.ts'

export const historyCases: readonly StoreCase[] = [
  {
    title: 'answers 600 random calls, one after another, as applyPatch says',
    run: ({ store, seed }) => withSeed(seed, () => playHistory(store, numbersFrom(seed), { batches: 600, width: 1 })),
  },
  {
    title: 'answers 150 random batches of calls that are under way at once as some order of them would',
    run: ({ store, seed }) => withSeed(seed, () => playHistory(store, numbersFrom(seed), { batches: 150, width: 4 })),
  },
]

type Call =
  | { readonly name: 'create'; readonly record: SessionRecord }
  | { readonly name: 'patch'; readonly patch: Patch }
  | { readonly name: 'end'; readonly at: number }

type Answer = boolean | PatchResult

/** What the model says: the record afterwards and the answer. */
interface Outcome {
  readonly record: SessionRecord | undefined
  readonly answer: Answer
}

async function playHistory(store: Store, numbers: Numbers, { batches, width }: { batches: number; width: number }): Promise<void> {
  let id = newId()
  let record: SessionRecord | undefined
  let now = NOW
  let sent: Patch[] = []
  for (let batch = 0; batch < batches; batch += 1) {
    // After an end little happens: a new id now and then keeps most of the history among the living.
    if (record?.ended !== undefined && numbers(4) === 0) [id, record, sent] = [newId(), undefined, []]
    now += numbers(HOUR / 8)
    const calls = Array.from({ length: 1 + numbers(width) }, () => randomCall(numbers, now, record, sent))
    const answers = await Promise.all(calls.map(async (call) => perform(store, id, call)))
    const after = await store.read(id)
    record = explain(record, calls, answers, after)
    sent = [...sent, ...calls.flatMap((call) => (call.name === 'patch' ? [call.patch] : []))].slice(-4)
  }
}

function perform(store: Store, id: string, call: Call): Promise<Answer> | Answer {
  if (call.name === 'create') return Promise.resolve(store.create(id, call.record))
  if (call.name === 'end') return Promise.resolve(store.end(id, 'revoked', call.at))
  return Promise.resolve(store.patch(id, call.patch))
}

/** The record after an order of the calls that gives these answers and this reading. Fails when there is none. */
function explain(before: SessionRecord | undefined, calls: readonly Call[], answers: readonly Answer[], after: SessionRecord | undefined): SessionRecord | undefined {
  const reasons: unknown[] = []
  for (const order of ordersOf(calls.map((_, n) => n))) {
    try {
      return explainInOrder({ before, order, calls, answers, after })
    } catch (error) {
      reasons.push(error)
    }
  }
  throw reasons.length === 1 ? reasons[0] : new assert.AssertionError({ message: `no order of ${calls.map(({ name }) => name).join(', ')} gives these answers: ${JSON.stringify(answers)}` })
}

interface Observed {
  readonly before: SessionRecord | undefined
  readonly order: readonly number[]
  readonly calls: readonly Call[]
  readonly answers: readonly Answer[]
  readonly after: SessionRecord | undefined
}

function explainInOrder({ before, order, calls, answers, after }: Observed): SessionRecord | undefined {
  let record = before
  for (const n of order) {
    const [call, answer] = [calls[n], answers[n]]
    assert.ok(call !== undefined && answer !== undefined)
    // A record past its deadline may be cleared away by whoever replaces it, and an end beside that finds nothing.
    if (order.length > 1 && call.name === 'end' && answer === false && record?.ended === undefined && (record?.expiresAt ?? 0) <= call.at) {
      record = undefined
      continue
    }
    const outcome = expected(record, call)
    assertSameAnswer(answer, outcome.answer)
    record = outcome.record
  }
  if (record === undefined) assert.equal(after, undefined)
  else if (record.ended === undefined) assertSameRecord(after, record)
  else assert.ok(after === undefined || (after.ended !== undefined && Object.keys(after.entries).length === 0), 'the record has ended')
  return record
}

function expected(record: SessionRecord | undefined, call: Call): Outcome {
  if (call.name === 'create') {
    return isLive(record, call.record.createdAt) ? { record, answer: false } : { record: call.record, answer: true }
  }
  if (call.name === 'end') {
    return record === undefined || record.ended !== undefined ? { record, answer: false } : { record: tombstone(record, 'revoked', call.at), answer: true }
  }
  const applied = applyPatch(record, call.patch)
  return applied.status === 'ok' ? { record: applied.record, answer: { status: 'ok', version: applied.record.version } } : { record, answer: applied }
}

function assertSameAnswer(actual: Answer, wanted: Answer): void {
  if (typeof actual === 'boolean' || typeof wanted === 'boolean') return assert.equal(actual, wanted)
  if (actual.status !== 'conflict' || wanted.status !== 'conflict') return assert.deepEqual({ ...actual }, { ...wanted })
  assertSameRecord(actual.record, wanted.record)
}

const KEYS = ['d:a', 'd:b', 'd:\u0000', 'm:a', 'd:__proto__']
const TEXTS = ['1', '2', '', '\ud800', '"x"']
const HASHES = ['hash-a', 'hash-b']
const TERMS = ['term-a', 'term-b', 'term-c']

function randomCall(numbers: Numbers, now: number, record: SessionRecord | undefined, sent: readonly Patch[]): Call {
  const dice = numbers(20)
  if (dice === 0) return { name: 'end', at: now }
  if (dice <= 2 || (record === undefined && dice <= 15)) return { name: 'create', record: randomRecord(numbers, now) }
  const again = sent.at(-1 - numbers(4))
  if (dice <= 4 && again !== undefined) return { name: 'patch', patch: again }
  return { name: 'patch', patch: randomPatch(numbers, now, record) }
}

function randomRecord(numbers: Numbers, now: number): SessionRecord {
  const entries = KEYS.filter(() => numbers(2) === 0).map((key) => [key, pick(numbers, TEXTS)] as const)
  // Nobody makes a token twice: a store may take the same creation, sent again behind an end, for what it is.
  return newRecord({ createdAt: now, touchedAt: now, expiresAt: now + HOUR, tokenHash: `hash ${numbers(1_000_000_000)}`, entries: entriesOf(entries) })
}

function randomPatch(numbers: Numbers, now: number, record: SessionRecord | undefined): Patch {
  const maybe = <T extends object>(chance: number, part: () => T): T | object => (numbers(chance) === 0 ? part() : {})
  const key = (): string => pick(numbers, KEYS)
  const expectation = (of: string): readonly [string, string | null] => [of, numbers(3) === 0 ? pick(numbers, [...TEXTS, null]) : record?.entries[of] ?? null]
  // Now and then the deadline itself.
  const at = numbers(10) === 0 ? record?.expiresAt ?? now : now + numbers(3)
  return {
    now: at,
    nonce: `nonce ${numbers(1_000_000_000)}`,
    ...maybe(2, () => ({ tokenHash: numbers(4) === 0 ? pick(numbers, HASHES) : record?.tokenHash ?? pick(numbers, HASHES) })),
    ...maybe(4, () => ({ rotateTo: pick(numbers, HASHES) })),
    ...maybe(2, () => ({ set: KEYS.filter(() => numbers(4) === 0).map((one) => [one, pick(numbers, TEXTS)] as const) })),
    ...maybe(4, () => ({ remove: [key()] })),
    ...maybe(2, () => ({ expect: [expectation(key()), expectation(key())] })),
    ...maybe(2, () => ({ touchedAt: now, expiresAt: now + HOUR })),
    ...maybe(10, () => ({ expiresAt: Math.max(now, at) + numbers(HOUR), deadline: 'replace' as const })),
    ...maybe(4, () => ({ index: TERMS.filter(() => numbers(2) === 0) })),
  }
}

function ordersOf(items: readonly number[]): readonly (readonly number[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item) => ordersOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]))
}

async function withSeed(seed: number, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (cause) {
    throw new Error(`A random history failed. Give describeStore the option seed: ${seed} to play it again: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
