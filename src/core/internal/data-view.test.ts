import { describe, expect, it } from 'vitest'
import { watched } from '../../../test/internal/watched.ts'

describe('session.data', () => {
  it('is an object whose own properties are the entries', async () => {
    await watched().visitor().visit((session) => {
      const { data } = session
      data.n = 1
      expect(Object.getOwnPropertyDescriptor(data, 'n')).toEqual({ value: 1, writable: true, enumerable: true, configurable: true })
      expect([Object.getOwnPropertyDescriptor(data, 'note'), Object.hasOwn(data, 'note'), 'note' in data, Object.getPrototypeOf(data)]).toEqual([undefined, false, false, null])
      Object.defineProperty(data, 'note', { value: 'x' })
      expect([session.get('note'), Object.entries(data), JSON.stringify(data), session.data === data]).toEqual(['x', [['n', 1], ['note', 'x']], '{"n":1,"note":"x"}', true])
      expect([Reflect.deleteProperty(data, 'n'), session.has('n'), Reflect.deleteProperty(data, 'n')]).toEqual([true, false, true])
    })
  })

  it('takes no symbol', async () => {
    await watched().visitor().visit((session) => {
      const { data } = session
      const symbol = Symbol('x')
      expect([Reflect.set(data, symbol, 1), Reflect.defineProperty(data, symbol, { value: 1 }), Reflect.get(data, symbol), Reflect.has(data, symbol), Reflect.deleteProperty(data, symbol), Reflect.getOwnPropertyDescriptor(data, symbol)]).toEqual([false, false, undefined, false, true, undefined])
      expect([session.isChanged, session.keys()]).toEqual([false, []])
    })
  })
})
