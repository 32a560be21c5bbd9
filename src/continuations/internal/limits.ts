/** What is known of a kept continuation when some have to go. */
export interface Kept {
  readonly id: string
  /** What it needs: it stays as long as this one does. */
  readonly parent: string | undefined
  readonly usedAt: number
  readonly bytes: number
}

export interface Limits {
  readonly maxCount: number
  readonly maxBytes: number
}

/**
 * The ids that have to go so that the rest keeps within the limits. The least recently used leaf goes first, since what
 * still needs a continuation could not return without it. `newest` and the chain it needs are spared; when nothing
 * else is left, the chain forgets its outermost.
 */
export function surplus(kept: readonly Kept[], { maxCount, maxBytes }: Limits, newest?: string): readonly string[] {
  const remaining = new Map(kept.map((one) => [one.id, one]))
  const needed = new Map<string, number>()
  for (const { parent } of kept) if (parent !== undefined) needed.set(parent, (needed.get(parent) ?? 0) + 1)
  const chain = chainOf(remaining, newest)
  const gone: string[] = []
  let bytes = kept.reduce((sum, one) => sum + one.bytes, 0)
  while (remaining.size > maxCount || bytes > maxBytes) {
    const others = [...remaining.values()].filter(({ id }) => !chain.includes(id))
    // Others without a leaf go round in a circle, as only those made by hand can.
    const next = leastUsed(others.filter(({ id }) => (needed.get(id) ?? 0) === 0)) ?? leastUsed(others) ?? remaining.get(chain.at(-1) ?? '')
    if (next === undefined) break
    if (next.id === chain.at(-1)) chain.pop()
    remaining.delete(next.id)
    if (next.parent !== undefined) needed.set(next.parent, (needed.get(next.parent) ?? 0) - 1)
    bytes -= next.bytes
    gone.push(next.id)
  }
  return gone
}

/** From the newest outwards. What was made by hand may go round in a circle. */
function chainOf(kept: ReadonlyMap<string, Kept>, newest: string | undefined): string[] {
  const chain: string[] = []
  for (let one = kept.get(newest ?? ''); one !== undefined && !chain.includes(one.id); one = kept.get(one.parent ?? '')) chain.push(one.id)
  return chain
}

// The id settles a tie, so that two requests that look at the same entries choose the same.
function leastUsed(kept: readonly Kept[]): Kept | undefined {
  return kept.reduce<Kept | undefined>((least, one) => (least === undefined || one.usedAt < least.usedAt || (one.usedAt === least.usedAt && one.id < least.id) ? one : least), undefined)
}
