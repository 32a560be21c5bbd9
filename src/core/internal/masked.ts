const SECRET_NAME = /pass|card|\bpan\b|cvv|ccv|secret|private_?key|cookie_?key|token|otp|\bpin\b/i
const MASK = '••••'
const MAX_DEPTH = 8

/** A copy for logs and error pages: what has the name of a secret is masked, at any depth. */
export function masked(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (depth >= MAX_DEPTH) return '…'
  if (Array.isArray(value)) return value.map((item) => masked(item, depth + 1))
  if (value instanceof Map) return masked(Object.fromEntries(value), depth)
  if (value instanceof Set) return masked([...value], depth)
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, SECRET_NAME.test(key) ? MASK : masked(part, depth + 1)]))
}
