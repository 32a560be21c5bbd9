// A Map that outgrows its table is copied whole: measured 5 ms at 32,768 entries, 150 ms at 524,288. Small maps keep every pause short.
const SHARD_SIZE = 4_096
const MAX_SHARDS = 4_096

/** Into how many maps this many entries are divided: a power of two, 1 up to 4,096 entries. */
export function shardCount(entries: number): number {
  const wanted = Math.min(entries / SHARD_SIZE, MAX_SHARDS)
  return 2 ** Math.max(0, Math.ceil(Math.log2(wanted)))
}

/** In which of `count` shards a key is; `count` is a power of two. Ids and terms are random to the last character. */
export function shardOf(key: string, count: number): number {
  const end = key.length
  return ((key.charCodeAt(end - 1) * 31 + key.charCodeAt(end - 2)) * 31 + key.charCodeAt(end - 3)) & (count - 1)
}
