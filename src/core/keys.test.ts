import { describe, expect, it } from 'vitest'
import { checkedKeys } from './keys.ts'

describe('a list of keys', () => {
  it('takes bytes, hex, base64 and base64url, in their order', () => {
    const bytes = new Uint8Array(32).fill(0xfb)
    const texts = [Buffer.from(bytes).toString('hex'), Buffer.from(bytes).toString('hex').toUpperCase(), Buffer.from(bytes).toString('base64'), Buffer.from(bytes).toString('base64url')]
    for (const text of texts) expect(checkedKeys([text, bytes], 'x').map((key) => [...key])).toEqual([[...bytes], [...bytes]])
    expect(checkedKeys([bytes], 'x')).toEqual([bytes])
  })

  it.each<[string, unknown, RegExp]>([
    ['nothing', [], /^x was given no key\. .*openssl rand -base64 32\.$/],
    ['no list', '1'.repeat(64), /was given no key/],
    ['an unset variable', [undefined], /was given no key/],
    ['a short key', ['1'.repeat(62)], /^x was given a key that has not 32 bytes\. .*openssl/],
    ['short bytes', [new Uint8Array(31)], /not 32 bytes/],
    ['a number', [5], /not 32 bytes/],
    ['a short earlier key', ['1'.repeat(64), 'x'], /not 32 bytes/],
  ])('that is %s is refused', (_what, keys, message) => {
    expect(() => Reflect.apply(checkedKeys, undefined, [keys, 'x'])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(message) }))
  })
})
