import type { Slot } from './slot.ts'

/** Milliseconds of one bucket. A sweep looks at what has expired and at the living whose deadline is in the same bucket. */
const WIDTH = 10_000

/**
 * Slots by deadline, in buckets of ten seconds. A bucket is a chain through its slots, so moving one costs the
 * same however many there are, and a bucket exists only while something is in it.
 */
export class Deadlines {
  readonly #heads = new Map<number, Slot>()
  // No bucket is below this one.
  #lowest = Infinity

  add(slot: Slot): void {
    const bucket = bucketOf(slot.expiresAt)
    const head = this.#heads.get(bucket)
    if (head !== undefined) head.before = slot
    slot.after = head
    this.#heads.set(bucket, slot)
    if (bucket < this.#lowest) this.#lowest = bucket
  }

  /** To be called before the slot's deadline changes. */
  remove(slot: Slot): void {
    const { before, after } = slot
    if (after !== undefined) after.before = before
    if (before !== undefined) before.after = after
    else if (after !== undefined) this.#heads.set(bucketOf(slot.expiresAt), after)
    else this.#heads.delete(bucketOf(slot.expiresAt))
    slot.before = undefined
    slot.after = undefined
  }

  /** Slots that may be past, earliest buckets first, among them all that are. The one at hand may be removed. */
  *upTo(now: number): Iterable<Slot> {
    let left = false
    for (const bucket of this.#bucketsUpTo(bucketOf(now))) {
      let slot = this.#heads.get(bucket)
      while (slot !== undefined) {
        const next: Slot | undefined = slot.after
        yield slot
        slot = next
      }
      left ||= this.#heads.has(bucket)
      if (!left) this.#lowest = bucket + 1
    }
  }

  clear(): void {
    this.#heads.clear()
    this.#lowest = Infinity
  }

  /** In order of time. Counted up where that is less work than looking at all buckets: after a long pause it is more. */
  *#bucketsUpTo(last: number): Iterable<number> {
    if (last - this.#lowest > this.#heads.size) {
      yield* [...this.#heads.keys()].filter((bucket) => bucket <= last).sort((one, other) => one - other)
      return
    }
    for (let bucket = this.#lowest; bucket <= last; bucket += 1) yield bucket
  }
}

/** Two deadlines of one bucket need no move. */
export function bucketOf(deadline: number): number {
  return Math.floor(deadline / WIDTH)
}
