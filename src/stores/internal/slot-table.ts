import { OWNER, REVOKED_AT } from '../../core/internal/namespaces.ts'
import type { Entries, SessionId } from '../../core/record.ts'
import { shardCount, shardOf } from './shards.ts'
import type { Slot } from './slot.ts'

type Slots = Map<SessionId, Slot>

/** Slots in the order in which they leave: strangers first. */
interface Shard {
  readonly strangers: Slots
  readonly owned: Slots
}

/**
 * Finds slots by id, and the one to evict: the least recently used, those of a logged-in visitor last, so that a
 * flood of anonymous visitors logs nobody out. A read only leaves a mark; a slot that bears one is spared once and
 * goes to the end of its queue. With several shards the order is kept in each and they take turns.
 */
export class SlotTable {
  readonly #shards: readonly Shard[]
  #turn = 0
  #size = 0

  constructor(maxSessions: number) {
    this.#shards = Array.from({ length: shardCount(maxSessions) }, () => ({ strangers: new Map(), owned: new Map() }))
  }

  get size(): number {
    return this.#size
  }

  get(id: SessionId): Slot | undefined {
    const shard = this.#shardOf(id)
    return shard.strangers.get(id) ?? shard.owned.get(id)
  }

  add(slot: Slot): void {
    this.#queueOf(slot).set(slot.id, slot)
    this.#size += 1
  }

  remove(slot: Slot): void {
    const { strangers, owned } = this.#shardOf(slot.id)
    if (strangers.delete(slot.id) || owned.delete(slot.id)) this.#size -= 1
  }

  /** Puts a slot into the queue that its entries ask for. */
  settle(slot: Slot): void {
    if (this.#queueOf(slot).has(slot.id)) return
    this.remove(slot)
    this.add(slot)
  }

  /** The next to evict, never the one spared; undefined when there is no other. */
  leastUsed(spared: Slot): Slot | undefined {
    return this.#leastUsedOf('strangers', spared) ?? this.#leastUsedOf('owned', spared)
  }

  /** Every slot, also when some are added and removed meanwhile; those added may be left out. */
  *slots(): Iterable<Slot> {
    for (const { strangers, owned } of this.#shards) yield* [...strangers.values(), ...owned.values()]
  }

  clear(): void {
    for (const shard of this.#shards) for (const queue of [shard.strangers, shard.owned]) queue.clear()
    this.#size = 0
  }

  #leastUsedOf(group: keyof Shard, spared: Slot): Slot | undefined {
    for (let tried = 0; tried < this.#shards.length; tried += 1) {
      const shard = this.#shards[this.#turn]
      this.#turn = (this.#turn + 1) % this.#shards.length
      const found = shard && firstUnused(shard[group], spared)
      if (found !== undefined) return found
    }
    return undefined
  }

  #queueOf(slot: Slot): Slots {
    const { strangers, owned } = this.#shardOf(slot.id)
    return isOwned(slot.entries) ? owned : strangers
  }

  #shardOf(id: SessionId): Shard {
    const shard = this.#shards[shardOf(id, this.#shards.length)]
    if (shard === undefined) throw new RangeError('the shard of an id is out of range')
    return shard
  }
}

function firstUnused(queue: Slots, spared: Slot): Slot | undefined {
  for (const slot of queue.values()) {
    if (slot === spared) continue
    if (slot.used === 0) return slot
    // At the end this loop comes by again, and finds it unused.
    slot.used = 0
    queue.delete(slot.id)
    queue.set(slot.id, slot)
  }
  return undefined
}

// The mark that all sessions of an owner were revoked is kept as long as their sessions: a login looks for it.
function isOwned(entries: Entries): boolean {
  return entries[OWNER] !== undefined || entries[REVOKED_AT] !== undefined
}
