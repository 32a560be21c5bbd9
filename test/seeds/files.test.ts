// The cases that need files or processes of their own: PL-79 of Plack's stores, PT-18 and PT-19 of PET's flat files.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createSessions } from '../../src/index.ts'
import { flatCodec, flatText } from '../../src/codecs/flat-text.ts'
import { fileStore } from '../../src/stores/file.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { application } from './seed.ts'

let folder = ''
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'sojourn-seed-files-')) })
afterEach(async () => { await rm(folder, { recursive: true, force: true }) })

it.each(['file', 'sqlite'])('PL-79 four processes that increment 250 times each count to 1000 on %s', { timeout: 120_000 }, async (name) => {
  const place = join(folder, name)
  const sessions = createSessions<{ n: number }>({ store: name === 'file' ? fileStore(place) : sqliteStore(place), sweepEvery: 'never' })
  const { token = '' } = await sessions.create()
  const processes = Array.from({ length: 4 }, () => spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'increment.ts'), name, place, token], { stdio: 'inherit' }))
  expect(await Promise.all(processes.map(async (one) => { const [code]: unknown[] = await once(one, 'exit'); return code }))).toEqual([0, 0, 0, 0])
  expect((await sessions.load(token))?.get('n')).toBe(1000)
  await sessions.close()
})

it.each(['x\nadmin:1', 'x\nd:admin: 1', 'a: b', '\n'])('PT-18 a flat file gives %j back and no forged key', async (value) => {
  const visitor = application({ store: fileStore(folder, { serializer: flatText }) }).client()
  await visitor.send((session) => session.set('user', value))
  const later = application({ store: fileStore(folder, { serializer: flatText }) }).client(visitor.cookie)
  expect((await later.send((session) => session.toObject())).result).toEqual({ user: value })
  const lines = (await recordsBelow(folder)).split('\n')
  expect(lines).toContain(`d:user: ${JSON.stringify(value)}`)
  expect(lines.filter((line) => line.startsWith('admin') || line.startsWith('d:admin'))).toEqual([])
})

it.each([['a b', 1], ['a:\nb', 1], ['nested', { a: 1 }], ['list', [1]]])('PT-19 a flat file refuses the key %j with the value %j, and nothing is stored', async (key, value) => {
  const { client, sessions } = application({ store: fileStore(folder, { serializer: flatText }), codec: flatCodec })
  await expect(client().send((session) => session.set(key, value))).rejects.toMatchObject({ code: 'ERR_SESSION_VALUE' })
  let count = 0
  for await (const _session of sessions.list()) count += 1
  expect(count).toBe(0)
})

async function recordsBelow(place: string): Promise<string> {
  const entries = await readdir(join(place, 'records'), { recursive: true, withFileTypes: true })
  const texts = await Promise.all(entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')))
  return texts.join('\n')
}
