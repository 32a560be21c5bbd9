import { describe, expect, it } from 'vitest'
import { standardCodec } from '../codec.ts'
import { makeEntries } from '../record.ts'
import { WorkingCopy, type CopyContext } from './working-copy.ts'

function context(changes: Partial<CopyContext> = {}): CopyContext {
  return { codec: standardCodec, validate: undefined, merge: new Map(), id: 'id', outlivesRequests: false, now: () => 0, onUnreadable: () => undefined, onConflict: () => undefined, ...changes }
}

describe('the working copy', () => {
  it('keeps one value for a key that was written when it was told to be unreadable', () => {
    const copy = new WorkingCopy(makeEntries({ 'd:cart': 'damaged' }), context({ onUnreadable: (key) => copy.write(key, 'default') }))
    expect(copy.read('d:cart')).toBe('default')
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) copy.read(`d:${key}`)
    copy.write('d:cart', 'newer')
    const changes = copy.changes()
    expect(changes.set).toEqual([['d:cart', '"newer"']])
    copy.settle(changes)
    expect([copy.isChanged(), copy.changes().set]).toEqual([false, []])
  })

  it('notices what is changed inside a merged value', () => {
    const merge = new Map([['list', (_base: unknown, theirs: unknown) => theirs]])
    const copy = new WorkingCopy(makeEntries(), context({ merge }))
    copy.write('d:list', 'ours')
    const changes = { ...copy.changes(), expect: [['d:list', null]] as const }
    // Forgotten and read again while the store was at work.
    copy.discard()
    expect(copy.read('d:list')).toBeUndefined()
    copy.rebase(makeEntries({ 'd:list': '["theirs"]' }), changes)
    const list = copy.read('d:list')
    expect(list).toEqual(['theirs'])
    if (Array.isArray(list)) list.push('more')
    expect([copy.isUntouched, copy.changes().set]).toEqual([false, [['d:list', '["theirs","more"]']]])
  })
})
