/**
 * Adds to a list, which may be the result: use what it returns. The first `push` to an empty list reserves room for seventeen,
 * which for the lists of one that a request makes would be most of its garbage.
 */
export function appended<Item>(list: Item[], item: Item): Item[] {
  if (list.length === 0) return [item]
  list.push(item)
  return list
}
