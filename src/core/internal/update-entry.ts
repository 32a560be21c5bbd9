import type { EntryKey } from '../record.ts'
import { asStored } from './as-stored.ts'
import { isPromise } from './awaitable.ts'
import type { Life } from './life.ts'
import { contended } from './refusals.ts'

/** Compare-and-set of one entry until it goes through. */
export async function updateEntry<Value>(life: Life, key: EntryKey, change: (value: Value | undefined) => Value): Promise<Value | 'gone'> {
  if (life.status === 'absent' || life.status === 'ended') {
    const value = change(asStored<Value>(life.copy.read(key)))
    life.copy.rewrite(key, value)
    return (await life.create(key)) === 'ok' ? value : 'gone'
  }
  if (life.status !== 'live') return (await life.commit(key), 'gone')
  if (life.copy.isChanged(key) && (await life.commit(key)) === 'gone') return 'gone'
  for (let attempt = 0; attempt < MAX_UPDATE_ATTEMPTS; attempt += 1) {
    const value = change(asStored<Value>(life.copy.storedValue(key)))
    const answer = life.tryUpdate(key, value)
    // A synchronous answer is used at once: a turn of the event loop would let the others be faster again.
    const result = isPromise(answer) ? await answer : answer
    if (result === 'ok') return value
    if (result === 'gone') return 'gone'
    if (attempt >= 4) await pause(Math.min(2 ** (attempt - 3), 32) * jitter(life))
  }
  throw contended()
}

// At every attempt one of the competitors gets through, so this many can compete for one key at once.
const MAX_UPDATE_ATTEMPTS = 400

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

function jitter(life: Life): number {
  return (life.core.settings.random(1)[0] ?? 0) / 255
}
