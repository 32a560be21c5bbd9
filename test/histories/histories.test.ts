import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { randomSeed } from '../../src/testing/store-cases/numbers.ts'
import type { Deed } from './client.ts'
import { judge, type Rest } from './judge.ts'
import { casts } from './casts.ts'
import { lanesOf, type StoreName } from './lanes.ts'
import { playEveryOrder, playSeed } from './play.ts'

describe('histories of concurrent requests', () => {
  it.each(Object.entries(casts))('of 2 clients with 3 deeds each are explained in every order: %s', async (name, cast) => {
    const orders = await playEveryOrder(() => memoryStore(), cast)
    console.log(`${name}: all ${orders} orders`)
    expect(orders).toBeGreaterThan(200)
  })

  // A history that fails names its seed.
  it.each<[number, StoreName]>([[1000, 'memory'], [100, 'sqlite'], [100, 'file']])('%d of 2 to 4 clients are explained on the %s store', async (count, name) => {
    const lanes = await lanesOf(name)
    const store = await lanes?.open()
    if (lanes === undefined || store === undefined) throw new Error('This store needs no server.')
    try {
      const first = randomSeed()
      for (let n = 0; n < count; n += 1) await playSeed(store, first + n)
    } finally {
      await lanes.close()
    }
  })
})

describe('the judge', () => {
  const id = 'session'
  let ticks = 0
  /** A deed that is done before the next begins. */
  function deed(plan: Deed['plan'], changes: Partial<Deed> = {}): Deed {
    const began = ticks += 4
    return {
      client: 'A', plan, began, acted: began + 1, called: began + 2, ended: began + 3, beganAt: 0, endedAt: 0, token: `${id}.first`, saw: { id, owner: undefined, data: {} },
      id, result: 'ok', issued: undefined, wrote: undefined, took: [], ...changes,
    }
  }
  const begin = (): Deed => deed({ name: 'write', key: 'one', looks: false }, { token: undefined, saw: undefined, issued: `${id}.first`, wrote: 'nobody’s A1' })
  const alive: Rest = { owner: undefined, data: { one: 'nobody’s A1' }, messages: [], tokens: [`${id}.first`] }
  const judged = (deeds: readonly Deed[], rest: Rest | undefined): void => judge({ deeds, rest: new Map([[id, rest]]), conflicts: [], now: 0 })

  it('takes what must be so', () => {
    expect(() => judged([begin(), deed({ name: 'read' }, { saw: { id, owner: undefined, data: { one: 'nobody’s A1' } } })], alive)).not.toThrow()
    expect(() => judged([begin(), deed({ name: 'logout' })], undefined)).not.toThrow()
  })

  it.each<[string, () => readonly Deed[], Rest | undefined, string]>([
    ['a lost write', () => [begin()], { ...alive, data: {} }, 'has lost a write'],
    ['a write that nobody made', () => [begin()], { ...alive, data: { ...alive.data, two: 'nobody’s B1' } }, 'one too many'],
    ['a lost count', () => [begin(), deed({ name: 'update' }, { wrote: 1 }), deed({ name: 'update' }, { wrote: 2 })], { ...alive, data: { ...alive.data, count: 1 } }, 'has lost a write'],
    ['an old value', () => [begin(), deed({ name: 'write', key: 'one', looks: true }, { wrote: 'nobody’s A2' })], alive, 'has lost a write'],
    ['a session that nobody ended', () => [begin()], undefined, 'nobody ended it'],
    ['a session that came back', () => [begin(), deed({ name: 'logout' })], alive, 'had ended and lives'],
    ['a session seen after its end', () => [begin(), deed({ name: 'revoke' }, { token: undefined, saw: undefined }), deed({ name: 'read' })], undefined, 'saw a session that had ended'],
    ['a session that came back after somebody was told that it has expired', () => [begin(), deed({ name: 'expire', minutes: 10 }, { wrote: -1 }), deed({ name: 'read' }, { saw: undefined, id: undefined }), deed({ name: 'expire', minutes: 10 }, { saw: undefined, token: undefined, wrote: 1 })], alive, 'had ended and lives'],
    ['a visitor who is logged out', () => [begin(), deed({ name: 'read' }, { saw: undefined, id: undefined })], alive, 'found no session'],
    ['an old token', () => [begin(), deed({ name: 'regenerate' }, { issued: `${id}.second` }), deed({ name: 'read' })], { ...alive, tokens: [`${id}.second`] }, 'had been replaced'],
    ['two tokens', () => [begin(), deed({ name: 'regenerate' }, { issued: `${id}.second` })], { ...alive, tokens: [`${id}.first`, `${id}.second`] }, 'newest token'],
    ['an owner who never logged in', () => [begin()], { ...alive, owner: 'ada' }, 'an owner who did not'],
    ['the data of another owner', () => [begin()], { ...alive, data: { one: 'ada’s A1' } }, 'has lost a write, or'],
    ['a lost message', () => [begin(), deed({ name: 'leave' }, { wrote: 'hello' })], alive, 'has lost hello'],
    ['a message shown twice', () => [begin(), deed({ name: 'leave' }, { wrote: 'hello' }), deed({ name: 'take' }, { took: ['hello'] }), deed({ name: 'take' }, { took: ['hello'] })], alive, 'shown a message twice'],
    ['a refusal without a reason', () => [begin(), deed({ name: 'write', key: 'one', looks: false }, { result: 'gone', wrote: 'nobody’s A2' })], alive, 'was refused'],
    ['an expiry that passed', () => [begin(), deed({ name: 'expire', minutes: 10 }, { wrote: -1 })], alive, 'had ended and lives'],
  ])('refuses %s', (_name, deeds, rest, message) => {
    expect(() => judged(deeds(), rest)).toThrow(message)
  })
})
