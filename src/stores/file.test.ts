import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { fileStore, type FileStoreOptions } from './file.ts'
import { inShard, nameOfId } from './internal/file-names.ts'

function under(options: FileStoreOptions = {}): () => StoreUnderTest {
  return () => {
    const root = mkdtempSync(join(tmpdir(), 'sojourn-file-'))
    const folder = join(root, 'sessions')
    return {
      store: fileStore(folder, options),
      reopen: () => fileStore(folder, options),
      corrupt: (id) => {
        const record = join(folder, 'records', inShard(nameOfId(id) ?? '', options.shards ?? 2))
        for (const name of readdirSync(record)) writeFileSync(join(record, name), '{"half": ')
      },
      close: () => rmSync(root, { recursive: true, force: true }),
    }
  }
}

const runner = { describe, it }
const lacks = ['watch'] as const
describeStore(runner, 'fileStore', under(), { lacks })
describeStore(runner, 'fileStore without shards, with durability power', under({ shards: 0, durability: 'power' }), { lacks })
