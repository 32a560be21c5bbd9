import { strict as assert } from 'node:assert'
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, it } from 'vitest'
import { isSessionError, type SessionErrorCode } from '../core/errors.ts'
import type { Patch } from '../core/patch.ts'
import { makeEntries, type SessionRecord } from '../core/record.ts'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { fileStore, type FileStoreOptions, type RecordSerializer } from './file.ts'
import { inShard, nameOfId } from './internal/file-names.ts'

/** Indented, and with a line of its own before it: not what the store writes by itself. */
const indented: RecordSerializer = {
  stringify: (record) => `# a session\n${JSON.stringify(record, undefined, 2)}`,
  parse: (text) => JSON.parse(text.slice(text.indexOf('\n'))),
}

function under(options: FileStoreOptions = {}): () => StoreUnderTest {
  return () => {
    const root = mkdtempSync(join(tmpdir(), 'sojourn-file-'))
    const folder = join(root, 'sessions')
    return {
      store: fileStore(folder, options),
      reopen: () => fileStore(folder, options),
      corrupt: (id) => {
        for (const path of logsOf(folder, id, options.shards)) writeFileSync(path, '{"half": ')
      },
      close: () => rmSync(root, { recursive: true, force: true }),
    }
  }
}

function folderOf(folder: string, id: string, shards: 0 | 1 | 2 = 2): string {
  return join(folder, 'records', inShard(nameOfId(id) ?? '', shards))
}

function logsOf(folder: string, id: string, shards?: 0 | 1 | 2): readonly string[] {
  const record = folderOf(folder, id, shards)
  return readdirSync(record).map((name) => join(record, name))
}

const runner = { describe, it }
const lacks = ['watch'] as const
describeStore(runner, 'fileStore', under(), { lacks })
describeStore(runner, 'fileStore with a serializer, compacted all the time', under({ serializer: indented, shards: 1, compactAt: 1024 }), { lacks })
describeStore(runner, 'fileStore without shards, with durability power', under({ shards: 0, durability: 'power' }), { lacks })

const made: string[] = []
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const root = mkdtempSync(join(tmpdir(), 'sojourn-file-'))
  made.push(root)
  return join(root, 'sessions')
}

function aRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: 1, touchedAt: 1, expiresAt: 1000, tokenHash: 'hash', nonce: 'first', index: [], entries: makeEntries(), ...changes }
}

function aPatch(changes: Partial<Patch> = {}): Patch {
  return { now: 1, nonce: 'n', ...changes }
}

function failsWith(code: SessionErrorCode, ...texts: readonly string[]): (error: unknown) => boolean {
  return (error) => isSessionError(error, code) && texts.every((text) => error.message.includes(text))
}

async function collect(ids: AsyncIterable<string>): Promise<readonly string[]> {
  const found: string[] = []
  for await (const id of ids) found.push(id)
  return found
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

describe('the options of fileStore', () => {
  it('are checked when it is called, and the message names what to pass', () => {
    const wrong: readonly [() => unknown, string][] = [
      [() => fileStore(''), 'folder'],
      [() => fileStore('a\0b'), 'folder'],
      [() => Reflect.apply(fileStore, undefined, [{ folder: 'x' }]), 'folder'],
      [() => Reflect.apply(fileStore, undefined, ['x', null]), 'options'],
      [() => Reflect.apply(fileStore, undefined, ['x', { shard: 1 }]), 'serializer, shards, durability, compactAt'],
      [() => Reflect.apply(fileStore, undefined, ['x', { shards: 3 }]), '0, 1 or 2'],
      [() => Reflect.apply(fileStore, undefined, ['x', { durability: 'disk' }]), '"power"'],
      [() => Reflect.apply(fileStore, undefined, ['x', { serializer: { stringify: JSON.stringify } }]), 'stringify(record) and parse(text)'],
      [() => fileStore('x', { compactAt: 10 }), '1024'],
      [() => fileStore('x', { compactAt: Number.NaN }), '1024'],
    ]
    for (const [call, text] of wrong) assert.throws(call, failsWith('ERR_SESSION_OPTION', text))
    assert.equal(existsSync('x'), false, 'nothing is made before open')
  })

  it('fix the number of shards with the first opening of a folder', async () => {
    const folder = newFolder()
    await fileStore(folder, { shards: 1 }).open()
    await fileStore(folder, { shards: 1 }).open()
    await assert.rejects(async () => fileStore(folder).open(), failsWith('ERR_SESSION_OPTION', folder, 'shards: 1'))
  })
})

describe('the folder of a file store', () => {
  it('is refused by name where it cannot be made or used', async () => {
    const folder = newFolder()
    writeFileSync(folder, '')
    for (const impossible of [folder, join(folder, 'below'), '/proc/sojourn']) {
      await assert.rejects(async () => fileStore(impossible).open(), failsWith('ERR_SESSION_STORE', impossible))
    }
  })

  it.skipIf(process.getuid?.() === 0)('is refused where this user may not write (root may write everywhere)', async () => {
    const folder = newFolder()
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    await assert.rejects(async () => fileStore(folder).open(), failsWith('ERR_SESSION_STORE', folder, 'EACCES'))
  })

  it('is refused when a newer version laid it out', async () => {
    const folder = newFolder()
    mkdirSync(folder)
    writeFileSync(join(folder, 'layout.json'), '{"format":2,"shards":2}\n')
    await assert.rejects(async () => fileStore(folder).open(), failsWith('ERR_SESSION_STORE', folder, 'layout.json'))
  })

  it('is for this user alone: folders 0700, files 0600, whatever the umask', async () => {
    const folder = newFolder()
    const before = process.umask(0)
    try {
      const store = fileStore(folder, { compactAt: 1024 })
      await store.open()
      await store.create('a', aRecord({ index: ['term'] }))
      await store.patch('a', aPatch({ set: [['d:long', 'x'.repeat(3000)]] }))
    } finally {
      process.umask(before)
    }
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    assert.ok(entries.length > 8)
    for (const entry of entries) assert.equal(statSync(join(entry.parentPath, entry.name)).mode & 0o777, entry.isDirectory() ? 0o700 : 0o600, entry.name)
  })

  it('is made again when it vanishes while the store is in use', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.open()
    await store.create('a', aRecord({ index: ['term'] }))
    await store.read('a')
    rmSync(folder, { recursive: true })
    assert.equal(await store.read('a'), undefined)
    assert.deepEqual(await store.patch('a', aPatch()), { status: 'gone' })
    assert.equal(await store.end('a', 'revoked', 1), false)
    assert.equal(await store.sweep({ now: 1 }, 10), 0)
    assert.equal(await store.create('a', aRecord({ index: ['term'], nonce: 'second' })), true)
    assert.equal((await store.read('a'))?.nonce, 'second')
    assert.deepEqual(await collect(store.find('term')), ['a'])
  })

  it('keeps every id inside: path traversal', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    for (const id of ['../../escaped', '/tmp/escaped', '..', '.', '', 'a/../../b', 'nul\0byte', 'C:\\escaped', 'ünïcode', '\ud800']) {
      assert.equal(await store.create(id, aRecord({ index: [id] })), true)
      assert.deepEqual(await collect(store.find(id)), [id])
      assert.deepEqual(await store.patch(id, aPatch()), { status: 'ok', version: 2 })
    }
    assert.deepEqual(readdirSync(join(folder, '..')), ['sessions'])
    assert.deepEqual(readdirSync(folder).sort(), ['drafts', 'index', 'records'])
    assert.equal((await collect(store.list())).length, 10)
  })

  it('has no place for an id that is too long', async () => {
    const store = fileStore(newFolder())
    const id = 'x'.repeat(5000)
    assert.equal(await store.read(id), undefined)
    assert.deepEqual(await store.patch(id, aPatch()), { status: 'gone' })
    assert.equal(await store.end(id, 'revoked', 1), false)
    await assert.rejects(async () => store.create(id, aRecord()), failsWith('ERR_SESSION_VALUE', '128'))
  })

  it('lists nothing of what somebody else put there, and goes on', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.create('a', aRecord())
    for (const path of ['records/junk', 'records/0/0/junk', 'drafts/junk', 'index/junk']) {
      mkdirSync(join(folder, path, '..'), { recursive: true })
      writeFileSync(join(folder, path), 'junk')
    }
    mkdirSync(join(folder, 'records/0/0/empty'), { recursive: true })
    assert.deepEqual(await collect(store.list()), ['a'])
    assert.equal(await store.sweep({ now: 1000 }, 10), 1)
  })
})

describe('what is on the disk', () => {
  it('can be read: the record as JSON, and a line for each change', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.create('a', aRecord({ entries: Object.assign(makeEntries(), { 'd:cart': '["tea"]' }) }))
    await store.patch('a', aPatch({ set: [['d:theme', '"dark"']] }))
    const [path = ''] = logsOf(folder, 'a')
    const [, record = '', , line = ''] = readFileSync(path, 'utf8').split('\n')
    assert.deepEqual(JSON.parse(record).entries, { 'd:cart': '["tea"]' })
    assert.deepEqual(JSON.parse(line.slice(line.indexOf('{'))).patch, { now: 1, nonce: 'n', set: [['d:theme', '"dark"']] })
  })

  it('is what the serializer makes of it', async () => {
    const folder = newFolder()
    await fileStore(folder, { serializer: indented }).create('a', aRecord())
    assert.match(readFileSync(logsOf(folder, 'a')[0] ?? '', 'utf8'), /^sojourn 1 .*\n# a session\n\{\n  "version": 1,/)
  })

  it('stays small, however often a record changes', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.create('a', aRecord())
    for (let n = 0; n < 2000; n += 1) await store.patch('a', aPatch({ nonce: `n${n}`, set: [['d:n', String(n)]] }))
    const logs = logsOf(folder, 'a')
    assert.equal(logs.length, 1)
    assert.ok(statSync(logs[0] ?? '').size < 20_000)
    assert.equal((await fileStore(folder).read('a'))?.version, 2001)
    assert.deepEqual(readdirSync(join(folder, 'drafts')), [])
  })

  it('holds nothing of a session that ended, before any sweep', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.create('a', aRecord({ index: ['term'], entries: Object.assign(makeEntries(), { 'd:a': '"secret"' }) }))
    await store.patch('a', aPatch({ set: [['d:b', '"secret"']] }))
    await store.end('a', 'destroyed', 5)
    for (const path of filesBelow(folder)) assert.ok(!readFileSync(path, 'utf8').includes('secret') && !path.includes('term'), path)
    assert.deepEqual((await fileStore(folder).read('a'))?.ended, { because: 'destroyed', at: 5 })
  })
})

describe('a file that cannot be read', () => {
  const store = async (damage: (path: string) => void): Promise<{ readonly folder: string; readonly other: ReturnType<typeof fileStore> }> => {
    const folder = newFolder()
    await fileStore(folder).create('a', aRecord({ index: ['term'] }))
    await fileStore(folder).patch('a', aPatch({ set: [['d:a', '1']] }))
    damage(logsOf(folder, 'a')[0] ?? '')
    return { folder, other: fileStore(folder) }
  }
  const damages: Readonly<Record<string, (path: string) => void>> = {
    'is empty': (path) => truncateSync(path, 0),
    'was cut off in its first half': (path) => truncateSync(path, 60),
    'has a flipped bit': (path) => {
      const bytes = readFileSync(path)
      bytes[100] = (bytes[100] ?? 0) ^ 1
      writeFileSync(path, bytes)
    },
    'is garbage': (path) => writeFileSync(path, Buffer.alloc(5000, 0xff)),
    'is of a newer version': (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('sojourn 1', 'sojourn 2')),
  }
  for (const [name, damage] of Object.entries(damages)) {
    it(`fails on read, is gone for a patch, and gives way to a new record: it ${name}`, async () => {
      const { other } = await store(damage)
      await assert.rejects(async () => other.read('a'), failsWith('ERR_SESSION_UNREADABLE'))
      assert.deepEqual(await other.patch('a', aPatch({ nonce: 'm' })), { status: 'gone' })
      assert.deepEqual(await collect(other.list()), [])
      assert.equal(await other.create('a', aRecord({ nonce: 'next' })), true)
      assert.equal((await other.read('a'))?.nonce, 'next')
    })
  }

  it('is the record before a change whose line was cut off', async () => {
    const { other } = await store((path) => truncateSync(path, statSync(path).size - 10))
    assert.equal((await other.read('a'))?.version, 1)
  })

  it('goes altogether when the session is ended: it may be live to a newer version', async () => {
    const { folder, other } = await store(damages['is of a newer version'] ?? (() => undefined))
    assert.equal(await other.end('a', 'revoked', 1), true)
    assert.equal(await other.end('a', 'revoked', 1), false)
    assert.deepEqual(filesBelow(join(folder, 'records')), [])
  })

  it('is swept when it has not been written to for a day', async () => {
    const { folder, other } = await store(damages['is garbage'] ?? (() => undefined))
    const now = Date.now()
    assert.equal(await other.sweep({ now: now + 60_000 }, 10), 0)
    assert.equal(await other.sweep({ now: now + 25 * 3_600_000 }, 10), 1)
    assert.deepEqual(filesBelow(join(folder, 'records')), [])
  })
})

describe('a sweep of a file store', () => {
  it('keeps a live record whose time on the disk says that it is past, and sets the time again', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.create('a', aRecord({ expiresAt: 5_000_000 }))
    utimesSync(folderOf(folder, 'a'), 0, 0)
    assert.equal(await store.sweep({ now: 4_000_000 }, 10), 0)
    assert.equal(statSync(folderOf(folder, 'a')).mtimeMs, 5_000_000)
  })

  it('knows a record’s deadline from the time of its folder: from the beginning, moved, after a compaction, and of a tombstone', async () => {
    const folder = newFolder()
    const store = fileStore(folder, { compactAt: 1024 })
    const time = (): number => statSync(folderOf(folder, 'a')).mtimeMs
    await store.create('a', aRecord({ expiresAt: 5_000_000 }))
    assert.equal(time(), 5_000_000)
    await store.patch('a', aPatch({ nonce: 'later', expiresAt: 6_000_000 }))
    assert.equal(time(), 6_000_000)
    await store.patch('a', aPatch({ nonce: 'long', set: [['d:long', 'x'.repeat(3000)]] }))
    assert.equal(time(), 6_000_000)
    await store.patch('a', aPatch({ nonce: 'earlier', expiresAt: 4_000_000, deadline: 'replace' }))
    assert.equal(time(), 4_000_000)
    await store.end('a', 'revoked', 1_000_000)
    assert.equal(time(), 1_060_000)
  })

  it('finds a record whose time on the disk is too late, after some sweeps', async () => {
    const folder = newFolder()
    const store = fileStore(folder, { shards: 1 })
    await store.create('a', aRecord())
    utimesSync(folderOf(folder, 'a', 1), 4e9, 4e9)
    let swept = 0
    for (let n = 0; n < 16; n += 1) swept += await store.sweep({ now: 1000 }, 10)
    assert.equal(swept, 1)
  })

  it('removes what a killed process left behind, and nothing younger than a minute', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.open()
    mkdirSync(join(folder, 'drafts/00000000000000aa'))
    writeFileSync(join(folder, 'drafts/00000000000000aa/00000000000000aa.1.log'), 'half')
    mkdirSync(join(folder, 'drafts/00000000000000bb.gone'))
    writeFileSync(join(folder, 'drafts/00000000000000cc.2.log.x'), 'half')
    await store.sweep({ now: Date.now() + 50_000 }, 10)
    assert.equal(readdirSync(join(folder, 'drafts')).length, 3)
    await store.sweep({ now: Date.now() + 70_000 }, 10)
    assert.deepEqual(readdirSync(join(folder, 'drafts')), [])
  })

  it('needs olderThan, unless it is by expiry', async () => {
    await assert.rejects(async () => fileStore(newFolder()).sweep({ now: 1, by: 'touched' }, 10), failsWith('ERR_SESSION_USAGE', 'olderThan'))
  })

  it('does not hold the event loop', async () => {
    const store = fileStore(newFolder())
    for (let n = 0; n < 3000; n += 1) await store.create(`id-${n}`, aRecord())
    let turns = 0
    const counting = setInterval(() => { turns += 1 }, 0)
    assert.equal(await store.sweep({ now: 1000 }, 5000), 3000)
    clearInterval(counting)
    assert.ok(turns > 5, `${turns} turns of the event loop`)
  })
})

describe('a disk that is full', () => {
  it('fails with outcome none, loses nothing acknowledged, and the next change works', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.create('a', aRecord())
    const program = fileURLToPath(new URL('../../test/files/full-disk.ts', import.meta.url))
    // ulimit -f counts blocks of 512 or 1024 bytes; Node ignores SIGXFSZ, so write(2) is short and then fails.
    const { stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -f 8; exec "$0" --disable-warning=ExperimentalWarning "$@"', process.execPath, program, folder, 'a'], { encoding: 'utf8', timeout: 60_000 })
    assert.match(stdout, /^\{/, stderr)
    const { acknowledged, code, outcome, message } = JSON.parse(stdout)
    assert.ok(acknowledged > 5)
    assert.deepEqual([code, outcome], ['ERR_SESSION_STORE', 'none'], message)
    assert.equal((await store.read('a'))?.version, acknowledged + 1)
    assert.equal(Object.keys((await store.read('a'))?.entries ?? {}).length, acknowledged)
    assert.deepEqual(await store.patch('a', aPatch({ set: [['d:next', '1']] })), { status: 'ok', version: acknowledged + 2 })
    assert.equal((await fileStore(folder).read('a'))?.entries['d:next'], '1')
  })
})

describe('a reader in another process than the writer', () => {
  it('finds a record absent or complete while it is created, and never fails', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    const count = 200
    const writer = fork(fileURLToPath(new URL('../../test/files/creator.ts', import.meta.url)), [folder, String(count)], { execArgv: ['--disable-warning=ExperimentalWarning'] })
    const exit = once(writer, 'exit')
    let absent = 0
    for (let n = 0; n < count; n += 1) {
      let record = await store.read(`poll-${n}`)
      for (; record === undefined; record = await store.read(`poll-${n}`)) {
        absent += 1
        if (absent % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
        assert.ok(writer.exitCode === null || writer.exitCode === 0)
      }
      assert.deepEqual([record.entries['d:first'], record.entries['d:last'], record.entries['d:long']?.length], [String(n), String(n), 30_000])
    }
    assert.deepEqual(await exit, [0, null])
    assert.ok(absent > 0)
  })
})

describe('a file store that was closed', () => {
  it('refuses every call', async () => {
    const store = fileStore(newFolder())
    await store.open()
    await store.close()
    const calls: readonly (() => unknown)[] = [() => store.open(), () => store.read('a'), () => store.create('a', aRecord()), () => store.patch('a', aPatch()), () => store.end('a', 'revoked', 1), () => collect(store.find('t')), () => collect(store.list()), () => store.sweep({ now: 1 }, 1)]
    for (const call of calls) await assert.rejects(async () => call(), failsWith('ERR_SESSION_STORE', 'closed'))
  })

  it('keeps no descriptor, and none is left by calls that fail', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    await store.create('a', aRecord())
    const lowest = (): number => {
      const descriptor = openSync(folder, 'r')
      closeSync(descriptor)
      return descriptor
    }
    const before = lowest()
    for (let n = 0; n < 50; n += 1) {
      await store.patch('a', aPatch({ nonce: `n${n}` }))
      await store.patch('a', aPatch({ expect: [['d:x', 'y']] }))
      await store.read('a')
    }
    writeFileSync(logsOf(folder, 'a')[0] ?? '', 'garbage')
    for (let n = 0; n < 50; n += 1) await assert.rejects(async () => store.read('a'), failsWith('ERR_SESSION_UNREADABLE'))
    assert.equal(lowest(), before)
  })
})

describe('what follows an acknowledged change', () => {
  it('is reported when it fails, and does not make the change look like a failure', async () => {
    const folder = newFolder()
    const store = fileStore(folder)
    const reports: unknown[] = []
    store.observe(({ event, error }) => reports.push([event, isSessionError(error, 'ERR_SESSION_STORE')]))
    await store.create('a', aRecord())
    rmSync(join(folder, 'drafts'), { recursive: true })
    writeFileSync(join(folder, 'drafts'), '')
    assert.equal(await store.end('a', 'destroyed', 1), true)
    assert.deepEqual(reports, [['error', true]])
    assert.equal((await store.read('a'))?.ended?.because, 'destroyed')
  })
})
