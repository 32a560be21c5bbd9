import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Libsql from 'libsql'
import { describe, it } from 'vitest'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { sqliteStore, type SqliteHandle } from './sqlite.ts'

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-sqlite-'))
  return { path: join(folder, 'sessions.db'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function corruptIn(handle: SqliteHandle, id: string): void {
  handle.prepare('UPDATE sojourn_sessions SET record = ? WHERE id = ?').run('{"half": ', id)
}

function onFile(): StoreUnderTest {
  const { path, remove } = temporaryFolder()
  const store = sqliteStore(path)
  return {
    store,
    reopen: () => sqliteStore(path),
    corrupt: (id) => {
      const handle = new DatabaseSync(path)
      corruptIn(handle, id)
      handle.close()
    },
    close: async () => {
      await store.close()
      remove()
    },
  }
}

function onHandles(open: (path: string) => SqliteHandle & { close(): unknown }): () => StoreUnderTest {
  return () => {
    const { path, remove } = temporaryFolder()
    const handles = [open(path)]
    handles[0]?.exec('PRAGMA journal_mode = WAL')
    const another = () => {
      const handle = open(path)
      handles.push(handle)
      return sqliteStore(handle)
    }
    return {
      store: another(),
      reopen: another,
      corrupt: (id) => corruptIn(handles[0] ?? open(path), id),
      close: () => {
        for (const handle of handles) handle.close()
        remove()
      },
    }
  }
}

const runner = { describe, it }
describeStore(runner, 'sqliteStore on a file', onFile, { lacks: ['watch'] })
describeStore(runner, 'sqliteStore in memory', () => {
  const store = sqliteStore(':memory:')
  return { store, close: () => store.close() }
}, { lacks: ['watch', 'reopen', 'corrupt'] })
describeStore(runner, 'sqliteStore on a node:sqlite handle', onHandles((path) => new DatabaseSync(path)), { lacks: ['watch'] })
describeStore(runner, 'sqliteStore on a libsql handle', onHandles((path) => new Libsql(path)), { lacks: ['watch'] })
