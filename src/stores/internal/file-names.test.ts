import { strict as assert } from 'node:assert'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { idOfName, inShard, isLogName, logName, nameOfId, nameOfTerm, nextLogName, parseLogName, previousLogName, shardFolders } from './file-names.ts'

const anyId = fc.oneof(fc.string({ unit: 'binary', maxLength: 70 }), fc.stringMatching(/^[A-Za-z0-9_-]{1,140}$/), fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)))

describe('the folder of an id', () => {
  it('can be no path, whatever the id is: traversal, NUL, a device, an absolute path', () => {
    for (const id of ['', '.', '..', '../x', '../../etc/passwd', '/etc/passwd', 'a/b', 'a\\b', 'a\0b', 'C:', '.hidden', '~', 'a.b', '%2e%2e', '…', '\ud800', ' ', '\n']) {
      assert.match(nameOfId(id) ?? '', /^=[0-9a-f]*$/, JSON.stringify(id))
    }
    fc.assert(fc.property(anyId, (id) => {
      const name = nameOfId(id)
      assert.ok(name === undefined || (/^[A-Za-z0-9_=-][A-Za-z0-9_=.-]*$/.test(name) && !name.includes('..') && name.length <= 250))
    }))
  })

  it('names the id: each can be told from the other', () => {
    fc.assert(fc.property(anyId, (id) => {
      const name = nameOfId(id)
      assert.equal(name === undefined ? id : idOfName(name), id)
    }))
  })

  it('differs from another id’s also where upper and lower case are the same', () => {
    fc.assert(fc.property(anyId, anyId, fc.boolean(), (id, other, alike) => {
      const one = nameOfId(id)
      const second = alike ? id.toLowerCase() : other
      if (one !== undefined && id !== second) assert.notEqual(nameOfId(second)?.toLowerCase(), one.toLowerCase())
    }))
  })

  it('does not exist for an id that is too long', () => {
    assert.equal(nameOfId('a'.repeat(129)), undefined)
    assert.equal(nameOfId('ä'.repeat(61)), undefined)
    assert.ok(nameOfId('A'.repeat(128)) !== undefined && nameOfId('ä'.repeat(60)) !== undefined)
  })

  it('is taken back from no name that it did not make', () => {
    for (const name of ['', 'AB', 'ab.3', '=00', '=zz', 'a.b.c', '..', 'x.log']) assert.equal(idOfName(name), undefined, name)
  })

  it('is the id itself where that is in lower case', () => {
    assert.equal(nameOfId('abc-1_x'), 'abc-1_x')
    assert.equal(nameOfId('aBc'), 'aBc.2')
  })
})

describe('the folder of a term', () => {
  it('can be no path either, and exists for a term of any length', () => {
    for (const term of ['', '..', '../x', 'x'.repeat(10_000), '\ud800']) assert.match(nameOfTerm(term), /^=[0-9a-f]{64}$/)
    assert.notEqual(nameOfTerm('\ud800'), nameOfTerm('\ufffd'))
  })
})

describe('a shard', () => {
  it('is one of those that are looked through', () => {
    for (const depth of [0, 1, 2] as const) {
      const folders = shardFolders(depth)
      assert.equal(folders.length, 16 ** depth)
      fc.assert(fc.property(anyId, (id) => {
        const name = nameOfId(id) ?? 'x'
        assert.ok(folders.some((folder) => inShard(name, depth) === (folder === '' ? name : `${folder}/${name}`)))
      }))
    }
  })
})

describe('the name of a log', () => {
  it('tells the incarnation and the generation, and its neighbours', () => {
    const name = logName({ incarnation: '0123456789abcdef', generation: 9 })
    assert.deepEqual(parseLogName(name), { incarnation: '0123456789abcdef', generation: 9 })
    assert.deepEqual([previousLogName(name), nextLogName(name)], ['0123456789abcdef.8.log', '0123456789abcdef.10.log'])
    assert.equal(previousLogName('0123456789abcdef.1.log'), undefined)
  })

  it('is told from a draft and from anything else', () => {
    assert.deepEqual(['0123456789abcdef.1.log', '0123456789abcdef.1.log.x', '0123456789abcdef.01.log', '0123456789abcdef.0.log', 'log', ''].map(isLogName), [true, false, false, false, false, false])
  })
})
