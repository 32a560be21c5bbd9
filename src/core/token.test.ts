import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, memoryStore, type SessionsOptions } from '../index.ts'
import { customTokenFormat, defaultTokenFormat, derivedId, hashSecret, indexTerm, isId, sameHash, systemRandom, tokenText } from './token.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')
const standard = defaultTokenFormat(systemRandom)
const own = customTokenFormat({}, systemRandom)

describe('a token', () => {
  it('has 128 and 256 random bits, in base64url', () => {
    const token = standard.make()
    expect(Buffer.from(token.id, 'base64url')).toHaveLength(16)
    expect(Buffer.from(token.secret, 'base64url')).toHaveLength(32)
    expect(standard.parse(tokenText(token))).toEqual(token)
    expect(standard.make()).not.toEqual(token)
  })

  const text = `${'a'.repeat(22)}.${'b'.repeat(43)}`
  it.each(['', '.', text.slice(1), `${text}b`, ` ${text}`, `${text}\n`, text.replace('.', 'a'), text.replace('a', '+'), text.replace('b', '/')])('is not %j', (other) => {
    expect(standard.parse(other)).toBeUndefined()
  })
})

describe('an id', () => {
  it.each([['a'.repeat(8), true], ['a'.repeat(7), false], ['a'.repeat(128), true], ['a'.repeat(129), false], ['-_09azAZ', true], ['aaaaaaaa.', false], ['aaaaaaaa\n', false], [[12_345_678], false], [undefined, false]])('%j: %s', (id, answer) => {
    expect(isId(id)).toBe(answer)
  })
})

describe('a format of the application’s own', () => {
  it('is split at the first dot where it has no parser', () => {
    expect(own.parse('customer.secret')).toEqual({ id: 'customer', secret: 'secret' })
    for (const text of ['', '.', 'customer', '.customer', 'customer.', 'customer.a.b', 'customer. ', 'cust.secret']) expect(own.parse(text)).toBeUndefined()
  })

  it('is parsed by the application, up to 1024 characters, and checked', () => {
    const seen: string[] = []
    const format = customTokenFormat({ validateToken: (text) => { seen.push(text); return { id: 'customer', secret: text } } }, systemRandom)
    expect(format.parse('x'.repeat(1024))).toEqual({ id: 'customer', secret: 'x'.repeat(1024) })
    expect(format.parse('x'.repeat(1025))).toBeUndefined()
    expect(seen).toHaveLength(1)
    expect(customTokenFormat({ validateToken: () => undefined }, systemRandom).parse('customer.secret')).toBeUndefined()
    expect(customTokenFormat({ validateToken: () => ({ id: 'short', secret: 'x' }) }, systemRandom).parse('customer.secret')).toBeUndefined()
  })

  it.each([
    [{ id: 'short', secret: 'a'.repeat(22) }, /generateToken gave an id .+\. [A-Z]/],
    [{ id: 'customer', secret: 'a'.repeat(21) }, /generateToken gave a secret .+\. [A-Z]/],
    [{ id: 'customer', secret: 'a b'.repeat(22) }, /generateToken gave a secret .+\. [A-Z]/],
  ])('that makes %j is refused where it does', (token, message) => {
    expect(() => customTokenFormat({ generateToken: () => token }, systemRandom).make()).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(message) }))
  })

  it('makes tokens whose secret has 22 characters at least', () => {
    const token = { id: 'customer', secret: 'a'.repeat(22) }
    expect(customTokenFormat({ generateToken: () => token }, systemRandom).make()).toEqual(token)
  })

  it('carries sessions', async () => {
    const options: SessionsOptions<{ n: number }> = { store: memoryStore(), sweepEvery: 'never', generateToken: () => ({ id: 'customer-1', secret: 's'.repeat(30) }) }
    const visitor = new Visitor(createSessions<{ n: number }>(options))
    await visitor.visit((session) => session.set('n', 1))
    expect(visitor.token).toBe(`customer-1.${'s'.repeat(30)}`)
    expect((await visitor.visit((session) => [session.id, session.get('n')])).result).toEqual(['customer-1', 1])
  })
})

describe('hashes', () => {
  it('are SHA-256 in base64url, with what they are for before a NUL', () => {
    expect(hashSecret('secret')).toBe(sha256('secret'))
    expect(indexTerm('userId', '7')).toBe(sha256('userId\u00007'))
    expect(derivedId('watermark', 'bob')).toBe(createHash('sha256').update('watermark\u0000bob').digest().subarray(0, 16).toString('base64url'))
  })

  it('are the same only when every character is', () => {
    const hash = sha256('a')
    expect(sameHash(hash, sha256('a'))).toBe(true)
    for (let at = 0; at < hash.length; at += 1) expect(sameHash(hash, `${hash.slice(0, at)}!${hash.slice(at + 1)}`)).toBe(false)
    expect(sameHash(hash, hash.slice(1))).toBe(false)
    expect(sameHash(hash, `${hash}a`)).toBe(false)
    expect([sameHash('é', 'ab'), sameHash('ab', 'é'), sameHash('é', 'é'), sameHash('', '')]).toEqual([false, false, true, true])
    expect([sameHash('a'.repeat(64), 'a'.repeat(64)), sameHash('a'.repeat(65), 'a'.repeat(65)), sameHash('a'.repeat(65), `${'a'.repeat(64)}b`)]).toEqual([true, false, false])
  })
})
