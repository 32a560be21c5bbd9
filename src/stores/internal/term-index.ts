import { shardCount, shardOf } from './shards.ts'
import type { Slot } from './slot.ts'

/** Which slots are listed under a term. Most terms have one slot, which then stands for itself. */
export class TermIndex {
  readonly #shards: readonly Map<string, Slot | Set<Slot>>[]

  constructor(maxSessions: number) {
    this.#shards = Array.from({ length: shardCount(maxSessions) }, () => new Map())
  }

  /** How many terms have a slot. */
  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, 0)
  }

  add(term: string, slot: Slot): void {
    const shard = this.#shardOf(term)
    const there = shard.get(term)
    if (there === undefined) shard.set(term, slot)
    else if (there instanceof Set) there.add(slot)
    else shard.set(term, new Set([there, slot]))
  }

  remove(term: string, slot: Slot): void {
    const shard = this.#shardOf(term)
    const there = shard.get(term)
    if (there === slot) shard.delete(term)
    if (!(there instanceof Set)) return
    there.delete(slot)
    if (there.size === 0) shard.delete(term)
  }

  /** The slots under a term at this moment. */
  under(term: string): readonly Slot[] {
    const there = this.#shardOf(term).get(term)
    if (there === undefined) return []
    return there instanceof Set ? [...there] : [there]
  }

  clear(): void {
    for (const shard of this.#shards) shard.clear()
  }

  #shardOf(term: string): Map<string, Slot | Set<Slot>> {
    const shard = this.#shards[shardOf(term, this.#shards.length)]
    if (shard === undefined) throw new RangeError('the shard of a term is out of range')
    return shard
  }
}
