import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import Libsql from 'libsql'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { describeProcesses } from '../../test/processes/describe-processes.ts'
import { killRounds } from '../../test/processes/kill-rounds.ts'
import type { SessionError } from '../core/errors.ts'
import { stringifyRecord } from '../core/record.ts'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { collect, created, entriesOf, FAR, HOUR, newHash, newId, newPatch, newRecord, NOW, patched, readLive } from '../testing/store-cases/trial.ts'
import { sqliteStore, type SqliteHandle, type SqliteStore, type SqliteStoreOptions } from './sqlite.ts'

type ClosableHandle = SqliteHandle & { close(): unknown }

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-sqlite-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function newPath(): string {
  return join(newFolder(), 'sessions.db')
}

function openStore(location: string | SqliteHandle, options?: SqliteStoreOptions): SqliteStore {
  const store = sqliteStore(location, options)
  cleanups.push(() => store.close())
  return store
}

function openHandle(path: string, timeout = 0): DatabaseSync {
  const handle = new DatabaseSync(path, { timeout })
  cleanups.push(() => handle.close())
  // No test loses power; without this each commit waits for the disk.
  handle.exec('PRAGMA synchronous = OFF')
  return handle
}

/** A store on a file, and another connection to that file. */
function storeWithRival(): { store: SqliteStore; rival: DatabaseSync; path: string } {
  const path = newPath()
  const store = openStore(path)
  store.open()
  return { store, rival: openHandle(path), path }
}

/** The error that a call throws or rejects with. */
async function failure(call: () => unknown): Promise<SessionError> {
  try {
    await call()
  } catch (error) {
    return error as SessionError
  }
  throw new Error('The call did not fail')
}

function corruptIn(handle: SqliteHandle, id: string): void {
  handle.prepare('UPDATE sojourn_sessions SET record = ? WHERE id = ?').run('{"half": ', id)
}

function onFile(): StoreUnderTest {
  const path = newPath()
  const store = sqliteStore(path)
  return { store, reopen: () => sqliteStore(path), corrupt: (id) => corruptIn(openHandle(path), id), close: () => store.close() }
}

/** A table and columns called as nobody should. */
function withAwkwardNames(): StoreUnderTest {
  const path = newPath()
  const options: SqliteStoreOptions = { table: 'insert', columns: { id: 'where', createdAt: 'from"', touchedAt: 'Group By', expiresAt: '`', endedAt: "'; --", record: 'set' } }
  const store = sqliteStore(path, options)
  const corrupt = (id: string): void => void openHandle(path).prepare('UPDATE "insert" SET "set" = ? WHERE "where" = ?').run('{"half": ', id)
  return { store, reopen: () => sqliteStore(path, options), corrupt, close: () => store.close() }
}

function inMemory(): StoreUnderTest {
  const store = sqliteStore(':memory:')
  return { store, close: () => store.close() }
}

function onHandles(open: (path: string) => ClosableHandle): () => StoreUnderTest {
  return () => {
    const path = newPath()
    const another = (): ClosableHandle => {
      const handle = open(path)
      cleanups.push(() => handle.close())
      handle.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
      return handle
    }
    const first = another()
    return { store: sqliteStore(first), reopen: () => sqliteStore(another()), corrupt: (id) => corruptIn(first, id), close: () => undefined }
  }
}

const runner = { describe, it }
describeStore(runner, 'sqliteStore on a file', onFile, { lacks: ['watch'] })
describeStore(runner, 'sqliteStore, where every name is an awkward one', withAwkwardNames, { lacks: ['watch'] })
describeStore(runner, 'sqliteStore in memory', inMemory, { lacks: ['watch', 'reopen', 'corrupt'] })
describeStore(runner, 'sqliteStore on a node:sqlite handle', onHandles((path) => new DatabaseSync(path, { timeout: 5000 })), { lacks: ['watch'] })
describeStore(runner, 'sqliteStore on a libsql handle', onHandles((path) => new Libsql(path)), { lacks: ['watch'] })

const module = fileURLToPath(new URL('../../test/stores/sqlite-process.ts', import.meta.url))
const remove = (location: string): void => rmSync(join(location, '..'), { recursive: true, force: true })
const newLocation = (): string => join(mkdtempSync(join(tmpdir(), 'sojourn-sqlite-')), 'sessions.db')
describeProcesses(runner, 'sqliteStore on a file', { module, location: newLocation, remove })
describeProcesses(runner, 'sqliteStore on a handle without a write-ahead log', { module, location: () => `${newLocation()}?handle`, remove, count: 2 })

describe('sqliteStore under kill -9', () => {
  it('keeps every record readable and every acknowledged write, in 60 rounds', async () => {
    const path = newPath()
    const report = await killRounds({ module, location: path })
    expect(report.rounds).toBeGreaterThanOrEqual(60)
    expect(report.inFlight).toBeGreaterThanOrEqual(40)
    expect(report.acknowledged).toBeGreaterThan(100)
    expect(openHandle(path).prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    // What the killed writers left is swept like anything else.
    const store = openStore(path)
    await store.sweep({ now: Date.now() + 30 * 24 * HOUR }, 1_000_000)
    expect(openHandle(path).prepare('SELECT count(*) AS n FROM sojourn_sessions').all()).toEqual([{ n: 0 }])
  }, 600_000)
})

describe('sqliteStore while the file is free', () => {
  it('answers without a promise', () => {
    const store = openStore(newPath())
    const id = newId()
    expect(store.open()).toBeUndefined()
    expect(store.create(id, newRecord())).toBe(true)
    expect(store.read(id)).toMatchObject({ version: 1 })
    expect(store.patch(id, newPatch())).toEqual({ status: 'ok', version: 2 })
    expect(store.end(id, 'destroyed', NOW)).toBe(true)
  })

  it('touches nothing on the disk before its first call', () => {
    const folder = newFolder()
    const store = openStore(join(folder, 'deep', 'sessions.db'))
    expect(existsSync(join(folder, 'deep'))).toBe(false)
    expect(store.read(newId())).toBeUndefined()
    expect(existsSync(join(folder, 'deep', 'sessions.db'))).toBe(true)
  })
})

describe('sqliteStore while another connection writes', () => {
  it('reads without waiting', async () => {
    const { store, rival } = storeWithRival()
    const id = newId()
    await created(store, id)
    rival.exec('BEGIN IMMEDIATE')
    expect(store.read(id)).toMatchObject({ version: 1 })
    rival.exec('ROLLBACK')
  })

  it.each([
    ['a file', (path: string) => path],
    ['a handle that would itself wait for five seconds', (path: string) => openHandle(path, 5000)],
  ])('on %s waits without holding the event loop, and then writes in the order of the calls', async (_, locate) => {
    const path = newPath()
    const store = openStore(locate(path))
    const id = newId()
    await created(store, id)
    const rival = openHandle(path)
    rival.exec('BEGIN IMMEDIATE')
    const writes = Array.from({ length: 30 }, (_, n) => store.patch(id, newPatch({ set: [['d:n', String(n)]] })))
    expect(writes.every((write) => write instanceof Promise)).toBe(true)
    expect(await longestPause(50)).toBeLessThan(2500)
    rival.exec('ROLLBACK')
    const answers = await Promise.all(writes)
    expect(answers.map((answer) => answer.status === 'ok' && answer.version)).toEqual(writes.map((_, n) => n + 2))
    expect((await readLive(store, id)).entries['d:n']).toBe('29')
  })

  it('makes a later write wait behind the earlier ones', async () => {
    const { store, rival } = storeWithRival()
    const id = newId()
    await created(store, id)
    rival.exec('BEGIN IMMEDIATE')
    const first = store.patch(id, newPatch({ set: [['d:n', 'first']] }))
    rival.exec('ROLLBACK')
    const second = store.patch(id, newPatch({ set: [['d:n', 'second']] }))
    expect(await Promise.all([first, second])).toEqual([{ status: 'ok', version: 2 }, { status: 'ok', version: 3 }])
  })

  it('gives up after two seconds, having changed nothing', async () => {
    const { store, rival } = storeWithRival()
    const id = newId()
    const record = await created(store, id)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    rival.exec('BEGIN IMMEDIATE')
    const error = failure(() => store.patch(id, newPatch({ set: [['d:a', '1']] })))
    await vi.advanceTimersByTimeAsync(1900)
    expect(await Promise.race([error, 'waiting'])).toBe('waiting')
    await vi.advanceTimersByTimeAsync(200)
    expect(await error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { message: 'database is locked' } })
    rival.exec('ROLLBACK')
    await vi.advanceTimersByTimeAsync(200)
    expect(await store.read(id)).toEqual(record)
  })

  it('gives up when its signal fires, and starts nothing after that', async () => {
    const { store, rival } = storeWithRival()
    const id = newId()
    const record = await created(store, id)
    const controller = new AbortController()
    rival.exec('BEGIN IMMEDIATE')
    const error = failure(() => store.patch(id, newPatch({ set: [['d:a', '1']] }), { signal: controller.signal }))
    controller.abort(new Error('too late'))
    rival.exec('ROLLBACK')
    expect(await error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { message: 'too late' } })
    expect(await store.read(id)).toEqual(record)
  })

  it('gives up when its signal fires, also behind a call that goes on waiting', async () => {
    const { store, rival } = storeWithRival()
    const id = newId()
    await created(store, id)
    const controller = new AbortController()
    rival.exec('BEGIN IMMEDIATE')
    const patient = store.patch(id, newPatch())
    const error = failure(() => store.patch(id, newPatch(), { signal: controller.signal }))
    controller.abort()
    expect(await error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    rival.exec('ROLLBACK')
    expect(await patient).toEqual({ status: 'ok', version: 2 })
  })

  it('opens when the other connection lets it', async () => {
    const path = newPath()
    const rival = openHandle(path)
    rival.exec('BEGIN EXCLUSIVE; CREATE TABLE theirs (a)')
    const store = openStore(path)
    const id = newId()
    const opened = store.open()
    const made = store.create(id, newRecord())
    expect(opened).toBeInstanceOf(Promise)
    rival.exec('COMMIT')
    await opened
    expect(await made).toBe(true)
  })

  it('tells the calls that wait when it is closed', async () => {
    const { store, rival } = storeWithRival()
    rival.exec('BEGIN IMMEDIATE')
    const error = failure(() => store.create(newId(), newRecord()))
    store.close()
    expect(await error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', message: expect.stringContaining('after it had been closed') })
  })
})

/** Milliseconds of the longest wait for the event loop, in so many turns of it. */
async function longestPause(turns: number): Promise<number> {
  let longest = 0
  for (let turn = 0; turn < turns; turn += 1) {
    const start = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 1))
    longest = Math.max(longest, performance.now() - start)
  }
  return longest
}

describe('sqliteStore on the application’s own handle', () => {
  it('leaves its pragmas as they were', async () => {
    const handle = openHandle(newPath(), 4321)
    const pragmas = (): unknown => ['busy_timeout', 'journal_mode', 'synchronous', 'cache_size'].map((name) => handle.prepare(`PRAGMA ${name}`).all())
    const before = pragmas()
    const store = openStore(handle)
    await created(store, newId())
    await collect(store.list())
    expect(pragmas()).toEqual(before)
  })

  it('waits for a transaction of the application, and leaves it alone', async () => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    const id = newId()
    await created(store, id)
    handle.exec('CREATE TABLE orders (n); BEGIN; INSERT INTO orders VALUES (1)')
    const write = store.patch(id, newPatch())
    expect(write).toBeInstanceOf(Promise)
    handle.exec('COMMIT')
    expect(await write).toEqual({ status: 'ok', version: 2 })
    expect(handle.prepare('SELECT n FROM orders').all()).toEqual([{ n: 1 }])
  })

  it('does not close it', async () => {
    const handle = openHandle(newPath())
    const store = sqliteStore(handle)
    await created(store, newId())
    store.close()
    expect(handle.isOpen).toBe(true)
  })
})

describe('sqliteStore when it is closed', () => {
  it('closes the database it opened, and refuses further calls', async () => {
    const path = newPath()
    const store = openStore(path)
    await created(store, newId())
    expect(existsSync(`${path}-wal`)).toBe(true)
    store.close()
    expect(existsSync(`${path}-wal`)).toBe(false)
    expect(await failure(() => store.read(newId()))).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    expect(store.close()).toBeUndefined()
  })
})

describe('sqliteStore and its options', () => {
  it.each([
    ['', {}], ['file:sessions.db', {}], ['a\0b', {}], [42, {}], [undefined, {}], [{}, {}], [{ exec() {} }, {}],
    ['sessions.db', { table: '' }], ['sessions.db', { table: 'sqlite_sessions' }], ['sessions.db', { table: 'a\0b' }], ['sessions.db', { table: 7 }],
    ['sessions.db', { columns: { id: '' } }], ['sessions.db', { columns: { id: 'Record' } }], ['sessions.db', { columns: { key: 'id' } }], ['sessions.db', { columns: 'id' }],
    ['sessions.db', { durability: 'full' }], ['sessions.db', { tabel: 'x' }], ['sessions.db', null],
  ])('refuses %j with %j', async (location, options) => {
    const error = await failure(() => Reflect.apply(sqliteStore, undefined, [location, options]))
    expect(error).toMatchObject({ name: 'SessionError', code: 'ERR_SESSION_OPTION' })
    expect(error.message).toMatch(/\. (Pass|The options are|Give each|Name columns) /)
  })

  it('refuses durability for a handle whose pragmas are the application’s', async () => {
    const handle = openHandle(':memory:')
    const error = await failure(() => sqliteStore(handle, { durability: 'power' }))
    expect(error).toMatchObject({ code: 'ERR_SESSION_OPTION' })
    expect(error.message).toContain('PRAGMA synchronous')
  })

  it.each([['process', 1], ['power', 2], [undefined, 1]] as const)('with durability %s sets synchronous to %i', (durability, level) => {
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec')
    openStore(newPath(), durability === undefined ? {} : { durability }).open()
    const own = exec.mock.contexts[0] as DatabaseSync
    expect(own.prepare('PRAGMA synchronous').all()).toEqual([{ synchronous: level }])
    expect(own.prepare('PRAGMA journal_mode').all()).toEqual([{ journal_mode: 'wal' }])
    expect(own.prepare('PRAGMA busy_timeout').all()).toEqual([{ timeout: 0 }])
  })

  it.each(['insert', 'a "quoted" name', 'x; DROP TABLE sojourn_sessions', 'naïve 表', "it's"])('keeps sessions in a table called %s', async (table) => {
    const path = newPath()
    const beside = openStore(path)
    const other = await created(beside, 'beside-it')
    const store = openStore(path, { table })
    const [id, term] = [newId(), newHash()]
    await created(store, id, { index: [term] })
    await patched(store, id, { set: [['d:a', '1']] })
    expect([await collect(store.list()), await collect(store.find(term))]).toEqual([[id], [id]])
    expect(await store.end(id, 'revoked', NOW)).toBe(true)
    expect(await store.sweep({ now: FAR }, 10)).toBe(1)
    expect(await collect(beside.list())).toEqual(['beside-it'])
    expect(await beside.read('beside-it')).toEqual(other)
  })

  it('fails where a column is missing, instead of taking its name for a text', async () => {
    const path = newPath()
    await created(openStore(path), newId())
    // As some builds of SQLite have it.
    const handle = new DatabaseSync(path, { enableDoubleQuotedStringLiterals: true })
    cleanups.push(() => handle.close())
    const error = await failure(() => openStore(handle, { columns: { record: 'set' } }).open())
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { message: expect.stringContaining('no such column: set') } })
  })

  it('refuses a table that the application has already', async () => {
    const handle = openHandle(':memory:')
    handle.exec('CREATE TABLE users (name)')
    const error = await failure(() => openStore(handle, { table: 'users' }).open())
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { message: expect.stringContaining('users') } })
    expect(handle.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()).toEqual([{ name: 'users' }])
  })
})

describe('sqliteStore and the file system', () => {
  it('makes the folder for its owner only, and the files too', async () => {
    const path = join(newFolder(), 'made', 'deeper', 'sessions.db')
    await created(openStore(path), newId())
    const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8)
    expect([path, `${path}-wal`, `${path}-shm`].map(mode)).toEqual(['600', '600', '600'])
    expect([join(path, '..'), join(path, '..', '..')].map(mode)).toEqual(['700', '700'])
  })

  it('leaves the mode of a file that was there', async () => {
    const path = newPath()
    writeFileSync(path, '')
    chmodSync(path, 0o640)
    await created(openStore(path), newId())
    expect(statSync(path).mode & 0o777).toBe(0o640)
  })

  it('names the folder that is not one', async () => {
    const folder = join(newFolder(), 'file')
    writeFileSync(folder, '')
    const error = await failure(() => openStore(join(folder, 'sessions.db')).open())
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { code: expect.stringMatching(/^E/) } })
    expect(error.message).toContain(`the folder ${folder}.`)
  })

  it('names the folder that may not be written to', () => {
    const folder = newFolder()
    chmodSync(folder, 0o555)
    const code = "const { sqliteStore } = await import(process.argv[1]); try { sqliteStore(process.argv[2]).open() } catch (error) { console.log(`${error.code} ${error.cause.code} ${error.message}`) }"
    const args = ['--conditions=sojourn:source', '--input-type=module', '-e', code, new URL('sqlite.ts', import.meta.url).href, join(folder, 'sessions.db')]
    // Root may write everywhere, so the child gives its rights away.
    const child = spawnSync(process.execPath, args, { encoding: 'utf8', ...(process.getuid?.() === 0 && { uid: 65534, gid: 65534 }) })
    expect(child.stdout).toContain(`ERR_SESSION_STORE EACCES The SQLite database ${join(folder, 'sessions.db')} cannot be created in the folder ${folder}.`)
  })

  it('tells a folder in the place of the file from a database', async () => {
    const path = newPath()
    mkdirSync(path)
    const error = await failure(() => openStore(path).open())
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: expect.any(Error) })
    expect(error.message).toContain(path)
  })

  it('refuses a file that is no database, and opens it at a later call when it is one', async () => {
    const path = newPath()
    writeFileSync(path, 'This is not a database. '.repeat(1000))
    const store = openStore(path)
    expect(await failure(() => store.read(newId()))).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: expect.any(Error) })
    rmSync(path)
    expect(await store.read(newId())).toBeUndefined()
  })
})

describe('sqliteStore when SQLite fails', () => {
  it('leaves the old value when the disk is full', async () => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    const id = newId()
    const record = await created(store, id, { entries: entriesOf([['d:a', 'old']]) })
    handle.exec('PRAGMA max_page_count = 1')
    const error = await failure(() => store.patch(id, newPatch({ set: [['d:a', 'new'], ['d:b', 'x'.repeat(100_000)]] })))
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { message: 'database or disk is full' } })
    expect(await store.read(id)).toEqual(record)
    handle.exec('PRAGMA max_page_count = 1000000')
    expect(await patched(store, id, { set: [['d:a', 'new']] })).toBe(2)
  })

  it('undoes what came before the step that failed', async () => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    store.open()
    handle.exec("CREATE TRIGGER refuse BEFORE INSERT ON sojourn_sessions_terms BEGIN SELECT RAISE(FAIL, 'refused'); END")
    const id = newId()
    const error = await failure(() => store.create(id, newRecord({ index: [newHash()] })))
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { message: 'refused' } })
    expect(await store.read(id)).toBeUndefined()
    expect(handle.isTransaction).toBe(false)
  })

  it('says that the outcome is unknown when the commit itself fails, and goes on afterwards', async () => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    const id = newId()
    const record = await created(store, id)
    // A deferred constraint is checked by COMMIT, which then leaves the transaction open.
    handle.exec(`
      CREATE TABLE parents (n INTEGER PRIMARY KEY);
      CREATE TABLE children (n REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER fail_late AFTER UPDATE ON sojourn_sessions BEGIN INSERT INTO children VALUES (1); END`)
    const error = await failure(() => store.patch(id, newPatch({ set: [['d:a', '1']] })))
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown', cause: { message: 'FOREIGN KEY constraint failed' } })
    expect(await store.read(id)).toEqual(record)
    handle.exec('DROP TRIGGER fail_late')
    expect(await patched(store, id)).toBe(2)
  })

  it('reports a table that was dropped, and a database that was closed', async () => {
    const handle = new DatabaseSync(newPath())
    const store = openStore(handle)
    await created(store, newId())
    handle.exec('DROP TABLE sojourn_sessions')
    expect(await failure(() => store.read(newId()))).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    handle.close()
    expect(await failure(() => store.patch(newId(), newPatch()))).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
  })

  it('never quotes what is stored', async () => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    const id = newId()
    await created(store, id, { tokenHash: 'hash-of-the-token', entries: entriesOf([['d:a', 'a-secret']]) })
    handle.prepare('UPDATE sojourn_sessions SET record = substr(record, 1, length(record) - 3)').run()
    const error = await failure(() => store.read(id))
    expect(error).toMatchObject({ code: 'ERR_SESSION_UNREADABLE' })
    expect(error.message).not.toMatch(/a-secret|hash-of-the-token/)
  })
})

describe('sqliteStore and what it cannot read', () => {
  const unreadables: readonly (readonly [string, (text: string) => string | Uint8Array])[] = [
    ['a record in a newer format', (text) => text.replace('"format":1', '"format":2')],
    ['half a record', (text) => text.slice(0, 40)],
    ['a record without its entries', (text) => text.replace('"entries"', '"entrees"')],
    ['a blob', (text) => new TextEncoder().encode(text)],
  ]

  it.each(unreadables)('fails to read %s, patches nothing, and replaces it on create', async (_, spoil) => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    const [id, oldTerm] = [newId(), newHash()]
    const record = await created(store, id, { index: [oldTerm] })
    handle.prepare('UPDATE sojourn_sessions SET record = ?').run(spoil(stringifyRecord(record)))
    expect(await failure(() => store.read(id))).toMatchObject({ code: 'ERR_SESSION_UNREADABLE' })
    expect(await store.patch(id, newPatch({ set: [['d:a', '1']] }))).toEqual({ status: 'gone' })
    expect(await failure(() => store.read(id))).toMatchObject({ code: 'ERR_SESSION_UNREADABLE' })
    const next = newRecord()
    expect(await store.create(id, next)).toBe(true)
    expect(await store.read(id)).toEqual(next)
    expect(await collect(store.find(oldTerm))).toEqual([])
  })

  it('ends a session that only a newer version can read, for that version too', async () => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    const [id, term] = [newId(), newHash()]
    const record = await created(store, id, { index: [term] })
    handle.prepare('UPDATE sojourn_sessions SET record = ?').run(stringifyRecord(record).replace('"format":1', '"format":2'))
    expect(await store.end(id, 'revoked', NOW)).toBe(true)
    expect(await store.read(id)).toBeUndefined()
    expect([await collect(store.find(term)), await collect(store.list())]).toEqual([[], []])
  })

  it.each([[2, 'were made by a newer version of Sojourn'], [0, 'are not what Sojourn made'], ['x', 'are not what Sojourn made']])('refuses to open tables of schema %s', async (version, reason) => {
    const handle = openHandle(newPath())
    const id = newId()
    const record = await created(sqliteStore(handle), id)
    handle.prepare('UPDATE sojourn_sessions_meta SET schema_version = ?').run(version)
    const store = sqliteStore(handle)
    for (const call of [() => store.open(), () => store.read(id), () => store.create(id, record)]) {
      const error = await failure(call)
      expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
      expect(error.message).toContain(reason)
    }
    expect(handle.prepare('SELECT record FROM sojourn_sessions').all()).toEqual([{ record: stringifyRecord(record) }])
  })
})

describe.each([
  ['node:sqlite', (path: string): ClosableHandle => new DatabaseSync(path)],
  ['libsql', (path: string): ClosableHandle => new Libsql(path)],
])('sqliteStore over %s', (_, open) => {
  function opened(): { store: SqliteStore; handle: ClosableHandle; path: string } {
    const path = newPath()
    const handle = open(path)
    cleanups.push(() => handle.close())
    handle.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
    return { store: sqliteStore(handle), handle, path }
  }

  it('tells apart ids and terms that the driver itself would mix up', async () => {
    const { store } = opened()
    const names = ['\ud800', '\udc00', '\ud800\udc00', 'a\0b', 'a\0c', 'a', '\u001b', '__proto__', '\ufffd', '\u001b0000']
    for (const name of names) await created(store, name, { index: [name], entries: entriesOf([['d:name', name]]) })
    for (const name of names) {
      expect((await readLive(store, name)).entries['d:name']).toBe(name)
      expect(await collect(store.find(name))).toEqual([name])
    }
    expect(await collect(store.list())).toEqual(names.toSorted())
  })

  it('holds no transaction open between two pages, nor after a read', async () => {
    const { store, path } = opened()
    const term = newHash()
    const ids = Array.from({ length: 1201 }, newId)
    for (const id of ids) await created(store, id, { index: [term] })
    const rival = openHandle(path)
    for (const listed of [store.find(term), store.list()]) {
      const seen: string[] = []
      for await (const id of listed) {
        seen.push(id)
        await store.read(id)
        // A log that somebody reads cannot be emptied.
        if (seen.length % 500 === 1) expect(rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all()).toMatchObject([{ busy: 0 }])
      }
      expect(seen.toSorted()).toEqual(ids.toSorted())
    }
  })
})

describe('sweeping an SQLite database', () => {
  const rowsIn = (handle: SqliteHandle): unknown => handle.prepare('SELECT (SELECT count(*) FROM sojourn_sessions) AS records, (SELECT count(*) FROM sojourn_sessions_terms) AS terms').all()[0]

  it('deletes expired records, tombstones and their terms, across several transactions', async () => {
    const handle = openHandle(newPath())
    const store = openStore(handle)
    const keep = newId()
    await created(store, keep, { index: ['term'] })
    for (let n = 0; n < 250; n += 1) await created(store, newId(), { index: ['term'], expiresAt: NOW + n })
    const over = newId()
    await created(store, over)
    await store.end(over, 'destroyed', NOW - HOUR)
    expect(await store.sweep({ now: NOW + HOUR }, 240)).toBe(240)
    expect(await store.sweep({ now: NOW + HOUR }, 240)).toBe(11)
    expect(rowsIn(handle)).toEqual({ records: 1, terms: 1 })
    expect(await collect(store.find('term'))).toEqual([keep])
  })

  it.each(['touched', 'created'] as const)('by %s deletes what is older, however long it would live', async (by) => {
    const store = openStore(newPath())
    const [old, young] = [newId(), newId()]
    await created(store, old, { createdAt: NOW - HOUR, touchedAt: NOW - HOUR })
    await created(store, young, { createdAt: NOW, touchedAt: NOW })
    expect(await store.sweep({ now: NOW, by, olderThan: NOW }, 10)).toBe(1)
    expect(await collect(store.list())).toEqual([young])
    expect(await failure(() => store.sweep({ now: NOW, by }, 10))).toMatchObject({ code: 'ERR_SESSION_USAGE' })
  })

  it('lets others write between its transactions', async () => {
    const { store, rival } = storeWithRival()
    for (let n = 0; n < 150; n += 1) await created(store, newId(), { expiresAt: NOW })
    const swept = store.sweep({ now: NOW }, 1000)
    await Promise.resolve()
    expect(rival.prepare('SELECT count(*) AS n FROM sojourn_sessions').all()).toEqual([{ n: 50 }])
    rival.exec('BEGIN IMMEDIATE; CREATE TABLE theirs (a); COMMIT')
    expect(await swept).toBe(150)
  })
})
