import { describe, expect, it } from 'vitest'
import { titlesIn } from '../internal/named-tests.ts'

/** What hurts users of session libraries in cost, clean-up and security, and the tests that hold its end: file, title. */
const PAINS: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  '27 a store in memory that leaks': [
    ['test/attacks/floods.test.ts', 'by visitors who each make a session: the store stays within its bound'],
    ['src/stores/memory.test.ts', 'keeps to maxBytes when records grow, and never evicts the one that is being written'],
  ],
  '28 bots that fill the store': [
    ['test/attacks/floods.test.ts', 'by a flood of …: nothing is stored and nothing remembered'],
    ['src/testing/adapter-cases/cookies.ts', 'makes no store call and sends no cookie to a visitor who stores nothing'],
  ],
  '29 a write for each request': [
    ['src/testing/adapter-cases/cookies.ts', 'reads once and writes nothing for a request that only reads'],
    ['test/seeds/siblings.test.ts', 'SB-12 ten requests within the threshold write the expiry once'],
  ],
  '30 noticing changes costs much, or lies': [
    ['src/core/session.test.ts', 'notices a change inside a value'],
    ['src/core/session.test.ts', 'commits nothing when values were only read, or set to what they are'],
  ],
  '31 a value that cannot be stored hangs the request': [
    ['src/core/session.test.ts', 'refuses what cannot be kept at the line that sets it, naming the path'],
    ['test/attacks/values.test.ts', 'cycles: come back as they were, and are shown to an end'],
  ],
  '32 a corrupt record locks its visitor out': [
    ['src/core/sessions.test.ts', 'may be no record at all: the visitor gets a fresh session and keeps no exception'],
    ['test/attacks/values.test.ts', 'cost little and fail nobody: …'],
  ],
  '33 seconds taken for milliseconds': [
    ['src/core/duration.test.ts', 'asks about milliseconds when it is too long'],
    ['src/stores/cache.test.ts', 'tells unstorage seconds, and lru-cache milliseconds in an object'],
  ],
  '34 no idle and absolute timeout together': [
    ['src/core/session.test.ts', 'end an idle session, never early, at most a touch interval late'],
    ['src/core/session.test.ts', 'begins the absolute timeout anew'],
  ],
  '35 no way to log out everywhere': [['src/core/sessions.test.ts', 'lists an owner\'s devices, and ends all but one']],
  '36 an index that misses a session under a race': [
    ['src/core/sessions.test.ts', 'ends a login that a revocation of all overtook'],
    ['src/testing/store-cases/index-terms.ts', 'never misses a live record while another of the same term ends'],
  ],
  '37 copies in a cache outlive a revocation': [
    ['src/stores/redis-near.test.ts', 'is wrong about a session that ended elsewhere for a second at most, and never when it reads fresh'],
    ['src/stores/redis-near.test.ts', 'trusts its cache no longer than the ttl when it cannot hear the server any more'],
  ],
  '38 a cookie that holds the session cannot be revoked': [['test/attacks/identity.test.ts', 'of a sealed cookie after logout opens nothing where revokedBefore knows of the logout']],
  '39 tokens stored as they are': [
    ['src/core/sessions.test.ts', 'is not in the store, nor in any event'],
    ['test/attacks/identity.test.ts', 'comparing two hashes takes the same steps wherever they differ'],
  ],
  '40 replacing a key loses sessions, or keeps the old key open': [
    ['test/attacks/values.test.ts', 'opens what an earlier key of the list sealed, and seals with the current one alone'],
    ['src/stores/cookie.test.ts', 'is sealed anew with the current key when an earlier one opened it, and refused by others'],
  ],
  '41 the data of one user seen by the next': [['src/core/session.test.ts', 'drops another owner\'s data, and what their requests still write']],
  '42 clients and their versions': [
    ['src/stores/redis.test.ts', 'works on a cluster through node-redis 5 and ioredis 5'],
    ['src/stores/redis.test.ts', 'are one for a read and one for a commit, through …'],
  ],
}

describe('each pain', () => {
  it('from 27 to 42 is listed once', () => {
    expect(Object.keys(PAINS).map((pain) => parseInt(pain, 10))).toEqual(Array.from({ length: 16 }, (_, at) => 27 + at))
  })

  it.each(Object.entries(PAINS))('has a test: %s', (_, tests) => {
    for (const [file, title] of tests) expect([...titlesIn(file)]).toContain(title)
  })
})

describe('titlesIn', () => {
  it('finds titles in all their forms, and no others', () => {
    expect([...titlesIn('test/attacks/pains.test.ts')]).toEqual(['each pain', 'from 27 to 42 is listed once', 'has a test: …', 'titlesIn', 'finds titles in all their forms, and no others'])
    expect(titlesIn('src/stores/internal/record-folders.test.ts')).toContain('leaves the old or the new when it is killed, and a folder that works: …')
  })
})
