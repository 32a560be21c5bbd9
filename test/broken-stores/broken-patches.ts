import { applyPatch, GONE, type Applied, type Patch } from '../../src/core/patch.ts'
import { isLive, makeEntries, type SessionRecord } from '../../src/core/record.ts'
import type { BrokenStore } from './broken-store.ts'

/** The right record, changed afterwards. */
function but(change: (after: SessionRecord, patch: Patch, before: SessionRecord) => SessionRecord): (before: SessionRecord | undefined, patch: Patch) => Applied {
  return (before, patch) => {
    const result = applyPatch(before, patch)
    if (result.status !== 'ok' || before === undefined || result.record === before) return result
    return { status: 'ok', record: change(result.record, patch, before) }
  }
}

/** The right merge of a patch without one of its fields. */
function without(field: keyof Patch): (record: SessionRecord | undefined, patch: Patch) => Applied {
  return (record, patch) => {
    const rest = { ...patch }
    Reflect.deleteProperty(rest, field)
    return applyPatch(record, rest)
  }
}

function revived(record: SessionRecord | undefined): SessionRecord | undefined {
  if (record === undefined) return undefined
  const { ended, ...rest } = record
  return ended === undefined ? record : rest
}

/** Mistakes in applying a patch. */
export const brokenPatches: readonly BrokenStore[] = [
  {
    name: 'creates on patch',
    decisions: {
      apply: (record, patch) => applyPatch(record ?? { version: 0, createdAt: patch.now, touchedAt: patch.now, expiresAt: patch.now + 3_600_000, tokenHash: patch.tokenHash ?? '', nonce: '', index: [], entries: makeEntries() }, patch),
    },
    caughtBy: [
      'never creates: a patch to an id that was never written is gone, and nothing appears',
      'lists nothing for a patch that was gone',
      'brings nothing back: a patch to a record that was swept is gone',
      'takes what is no record for gone in a patch, and replaces it on create',
      'can be told to end what is no record, after which a patch is gone',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'ignores expectations',
    decisions: { apply: without('expect') },
    caughtBy: [
      'keeps its own copy: changing a record that was passed in or read changes nothing stored',
      'answers a conflict with the newest record when an expected text is another, is absent, or is there against null',
      'checks everything before it changes anything',
      'compares an expected text byte for byte',
      'lets one of 20 patches with the same expectation win, and shows the others the record that beat them',
      'applies the patches and creates of two handles in one atomic step each',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'takes null in an expectation for whatever there is',
    decisions: { apply: (record, patch) => applyPatch(record, { ...patch, expect: (patch.expect ?? []).filter(([, text]) => text !== null) }) },
    caughtBy: [
      'answers a conflict with the newest record when an expected text is another, is absent, or is there against null',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'applies a part before the check that fails',
    decisions: {
      apply(record, patch) {
        const result = applyPatch(record, patch)
        return result.status === 'conflict' ? { status: 'ok', record: { ...result.record, touchedAt: result.record.touchedAt + 1 } } : result
      },
    },
    wrap: (store) => ({
      ...store,
      async patch(id, patch, options) {
        const before = await store.read(id)
        const result = await store.patch(id, patch, options)
        const conflict = result.status === 'ok' && before !== undefined && result.version === before.version && before.nonce !== patch.nonce
        return conflict ? { status: 'conflict', record: before } : result
      },
    }),
    lacks: ['corrupt'],
    caughtBy: [
      'keeps its own copy: changing a record that was passed in or read changes nothing stored',
      'answers a conflict with the newest record when an expected text is another, is absent, or is there against null',
      'checks everything before it changes anything',
      'lets one of 20 patches with the same expectation win, and shows the others the record that beat them',
      'applies the patches and creates of two handles in one atomic step each',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'ignores the token',
    decisions: { apply: without('tokenHash') },
    caughtBy: [
      'is gone under another token’s hash, and changes nothing',
      'checks everything before it changes anything',
      'judges the token before the expectations: a stranger learns nothing of the record',
      'rotates the token: the old hash becomes previous, and is gone',
      'gives one of 10 rotations that are under way at once the token',
      'gives a rotation one winner across two handles',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'compares tokens without regard to case',
    decisions: { apply: (record, patch) => applyPatch(record, patch.tokenHash?.toLowerCase() === record?.tokenHash.toLowerCase() && record !== undefined ? { ...patch, tokenHash: record.tokenHash } : patch) },
    caughtBy: ['is gone under another token’s hash, and changes nothing'],
  },
  {
    name: 'forgets which patch it applied last',
    decisions: {
      apply(record, patch) {
        const result = applyPatch(record && { ...record, nonce: '' }, patch)
        return result.status === 'conflict' && record !== undefined ? { status: 'conflict', record } : result
      },
    },
    caughtBy: [
      'recognises a patch that is sent again, and does not repeat it',
      'recognises a rotation that is sent again under the old hash',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'judges the token before it recognises its own patch',
    decisions: { apply: (record, patch) => (isLive(record, patch.now) && patch.tokenHash !== undefined && patch.tokenHash !== record.tokenHash ? GONE : applyPatch(record, patch)) },
    caughtBy: [
      'recognises a rotation that is sent again under the old hash',
      'answers 600 random calls, one after another, as applyPatch says',
    ],
  },
  {
    name: 'checks the expectations before the token',
    decisions: { apply: (record, patch) => {
      const result = without('tokenHash')(record, patch)
      return result.status === 'conflict' ? result : applyPatch(record, patch)
    } },
    caughtBy: [
      'judges the token before the expectations: a stranger learns nothing of the record',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'merges deadlines by minimum',
    decisions: { apply: but((after, patch, before) => ({ ...after, expiresAt: Math.min(before.expiresAt, patch.expiresAt ?? Infinity) })) },
    caughtBy: [
      'moves touchedAt and expiresAt only later',
      'still finds a record that was touched, kept alive past its first deadline, and rotated',
      'sweeps by the deadline that a record has now: moved later it stays, moved earlier it goes',
      'leaves a record alone that is being kept alive meanwhile',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'takes every deadline for one that was set on purpose',
    decisions: { apply: (record, patch) => applyPatch(record, { ...patch, deadline: 'replace' }) },
    caughtBy: [
      'moves touchedAt and expiresAt only later',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'never moves a deadline earlier',
    decisions: { apply: without('deadline') },
    caughtBy: [
      'moves the deadline earlier when it was set on purpose',
      'sweeps by the deadline that a record has now: moved later it stays, moved earlier it goes',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'sets touchedAt to whatever comes',
    decisions: { apply: but((after, patch) => ({ ...after, touchedAt: patch.touchedAt ?? after.touchedAt })) },
    caughtBy: [
      'moves touchedAt and expiresAt only later',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'judges by its own clock',
    decisions: { apply: (record, patch) => applyPatch(record, { ...patch, now: Date.now() }) },
    caughtBy: [
      'is gone at the deadline and after it, judged by the patch’s now alone, and changes nothing',
      'rotates the token: the old hash becomes previous, and is gone',
      'still finds a record that was touched, kept alive past its first deadline, and rotated',
      'sweeps by the deadline that a record has now: moved later it stays, moved earlier it goes',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'lives at its deadline',
    decisions: { apply: (record, patch) => applyPatch(record, { ...patch, now: record?.expiresAt === patch.now ? patch.now - 1 : patch.now }) },
    caughtBy: [
      'is gone at the deadline and after it, judged by the patch’s now alone, and changes nothing',
      'moves the deadline earlier when it was set on purpose',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'writes to the ended',
    decisions: { apply: (record, patch) => applyPatch(revived(record), patch) },
    caughtBy: [
      'lets no patch bring an ended record back',
      'lets nothing live after an end, whatever patches are under way with it',
      'lets nothing live after an end on one handle, whatever patches are under way on another',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'loses the superseded token at the next patch',
    decisions: { apply: but((after, patch) => {
      if (patch.rotateTo !== undefined) return after
      const { previous, ...rest } = after
      return previous === undefined ? after : rest
    }) },
    caughtBy: [
      'rotates the token: the old hash becomes previous, and is gone',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'counts a version for each entry',
    decisions: { apply: but((after, patch, before) => ({ ...after, version: before.version + Math.max(1, patch.set?.length ?? 0) })) },
    caughtBy: [
      'sets, replaces and removes entries, and leaves the others alone',
      'lets entries change neither identity nor deadlines, whatever they are called',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'answers a conflict with an older record',
    wrap: (store, { lines }) => {
      const older = new Map<string, SessionRecord>()
      return {
        ...store,
        async patch(id, patch, options) {
          const before = lines.has(id) ? await store.read(id) : undefined
          const result = await store.patch(id, patch, options)
          if (result.status === 'conflict') return { status: 'conflict', record: older.get(id) ?? result.record }
          if (before !== undefined) older.set(id, before)
          return result
        },
      }
    },
    lacks: ['corrupt'],
    caughtBy: [
      'answers a conflict with the newest record when an expected text is another, is absent, or is there against null',
      'lets one of 20 patches with the same expectation win, and shows the others the record that beat them',
      'applies the patches and creates of two handles in one atomic step each',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'starts what was called off',
    wrap: (store) => ({ ...store, patch: (id, patch) => store.patch(id, patch) }),
    caughtBy: ['starts nothing when its signal has fired before the call'],
  },
  {
    name: 'wants a signal in every options',
    wrap: (store) => ({
      ...store,
      patch(id, patch, options) {
        if (options !== undefined && options.signal === undefined) throw new TypeError('no signal')
        return store.patch(id, patch, options)
      },
    }),
    caughtBy: ['takes options that hold nothing'],
  },
  {
    name: 'counts no version for a touch',
    decisions: { apply: but((after, patch, before) => (patch.set === undefined ? { ...after, version: before.version } : after)) },
    caughtBy: [
      'counts the version up by one with every patch',
      'recognises a rotation that is sent again under the old hash',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'refuses a patch without a token',
    decisions: { apply: (record, patch) => (patch.tokenHash === undefined ? GONE : applyPatch(record, patch)) },
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: [
      'keeps its own copy: changing a record that was passed in or read changes nothing stored',
      'counts the version up by one with every patch',
      'is gone at the deadline and after it, judged by the patch’s now alone, and changes nothing',
      'applies a patch by id, without a token hash',
      'applies a patch whose expectations hold: a text that is stored, null for what is absent',
      'answers a conflict with the newest record when an expected text is another, is absent, or is there against null',
      'moves touchedAt and expiresAt only later',
      'moves the deadline earlier when it was set on purpose',
      'lets entries change neither identity nor deadlines, whatever they are called',
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
      'keeps the same key in different namespaces apart',
      'keeps any text byte for byte: NUL, lone surrogates, control characters, JSON that a parser would normalise',
      'compares an expected text byte for byte',
      'keeps a text of 100 KiB',
      'keeps a text of 1 MiB',
      'keeps 500 entries in one record',
      'keeps all of 50 patches to 50 entries that are under way at once',
      'lets one of 20 patches with the same expectation win, and shows the others the record that beat them',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'takes no absence for granted',
    decisions: {
      apply: (record, patch) => (record !== undefined && patch.expect?.some(([, text]) => text === null) === true ? { status: 'conflict', record } : applyPatch(record, patch)),
    },
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: [
      'applies a patch whose expectations hold: a text that is stored, null for what is absent',
      'keeps keys apart that only look alike, when they are written one by one',
      'keeps all of 50 patches to 50 entries that are under way at once',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'expects the whole record to be unchanged',
    wrap: (store, { lines }) => {
      const seen = new Map<string, number>()
      return {
        ...store,
        async create(id, record) {
          seen.set(id, record.version)
          return store.create(id, record)
        },
        async patch(id, patch, options) {
          const record = lines.has(id) ? await store.read(id) : undefined
          const stale = patch.expect !== undefined && record !== undefined && record.version !== seen.get(id) && record.nonce !== patch.nonce
          return stale ? { status: 'conflict', record } : store.patch(id, patch, options)
        },
      }
    },
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: [
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
      'keeps the same key in different namespaces apart',
      'keeps any text byte for byte: NUL, lone surrogates, control characters, JSON that a parser would normalise',
      'compares an expected text byte for byte',
      'keeps a text of 100 KiB',
      'keeps a text of 1 MiB',
      'keeps 500 entries in one record',
      'keeps both of two patches to different entries, though both come from the same reading',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
]
