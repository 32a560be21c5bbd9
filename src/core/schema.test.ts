import { describe, expect, it, vi } from 'vitest'
import { entryValidator, type StandardSchema } from './schema.ts'

describe('a schema', () => {
  const schema = (validate: (value: unknown) => unknown): StandardSchema => ({ '~standard': { version: 1, vendor: 'x', validate: (value) => Reflect.apply(validate, undefined, [value]) as { value: unknown } } })
  const others = () => ({ b: 2 })

  it('of a key takes its output, and leaves other keys alone', () => {
    const validate = entryValidator({ a: schema((value) => (value === 1 ? { value: 'one' } : { issues: [{ message: 'x' }] })) })
    expect([validate('a', 1, others), validate('a', 2, others), validate('b', 2, others)]).toEqual([{ fits: true, value: 'one' }, { fits: false }, { fits: true, value: 2 }])
  })

  it('of the whole that takes the key alone needs no others', () => {
    const validate = entryValidator(schema((value) => ({ value: { ...Object(value), a: 'one' } })))
    const asked = vi.fn(others)
    expect([validate('a', 1, asked), asked.mock.calls.length]).toEqual([{ fits: true, value: 'one' }, 0])
    expect(entryValidator(schema(() => ({ value: {} })))('a', 1, others)).toEqual({ fits: true, value: 1 })
    expect(entryValidator(schema(() => ({ value: null })))('a', 1, others)).toEqual({ fits: true, value: 1 })
  })

  it.each<[string, unknown, unknown, unknown]>([
    ['the key itself', [{ message: 'x', path: ['a'] }], undefined, { fits: false }],
    ['the key itself, in a segment', [{ message: 'x', path: [{ key: 'a' }] }], undefined, { fits: false }],
    ['another key, also with the others', [{ message: 'x', path: ['b'] }], [{ message: 'x', path: ['b'] }], { fits: true, value: 1 }],
    ['another key, and nothing with the others', [{ message: 'x', path: ['b'] }], undefined, { fits: true, value: 'whole' }],
    ['the whole, also with the others', [{ message: 'x' }], [{ message: 'x' }], { fits: false }],
    ['the whole by an empty path', [{ message: 'x', path: [] }], [{ message: 'x', path: [] }], { fits: false }],
    ['another key first, then this one', [{ message: 'x', path: ['b'] }], [{ message: 'x', path: ['b'] }, { message: 'x', path: ['a'] }], { fits: false }],
  ])('of the whole that finds fault with %s', (_what, alone, together, expected) => {
    const validate = entryValidator(schema((value) => {
      const issues = 'b' in Object(value) ? together : alone
      return issues === undefined ? { value: { a: 'whole', b: 2 } } : { issues }
    }))
    expect(validate('a', 1, others)).toEqual(expected)
  })

  it('is refused when it is none, or answers later', () => {
    const refused = (message: RegExp): unknown => expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(message) })
    for (const none of [5, null, {}, 'x']) expect(() => entryValidator(JSON.parse(JSON.stringify({ a: none })))).toThrow(refused(/schema\.a is not a Standard Schema\. Pass/))
    expect(() => entryValidator(schema(async () => ({ value: 1 })))('a', 1, others)).toThrow(refused(/asynchronously\. Pass/))
    expect(entryValidator(Object.assign(() => {}, schema((value) => ({ value }))))('a', 1, others)).toEqual({ fits: true, value: 1 })
  })
})
