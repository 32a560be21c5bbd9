/**
 * What is stored under a key is what the application stored there: the one place where types are taken on trust.
 * A `schema` checks them.
 */
export function asStored<Value>(value: unknown): Value | undefined {
  return value as Value | undefined
}
