import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = dirname(dirname(import.meta.dirname))
// Inside the project, so that `sojourn` is found as users import it, and out of git.
const folder = join(root, '.docs', `types-${process.pid}`)

/** What the compiler says about a program of these files alone. */
function complaints(files: readonly string[]): string[] {
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', files: files.map((file) => relative(folder, file)), include: [], exclude: [] }))
  const { stdout, error } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder, '--pretty', 'false'], { cwd: folder, encoding: 'utf8' })
  expect(error).toBeUndefined()
  return stdout.split('\n').filter((line) => /^\S/.test(line))
}

beforeAll(() => { mkdirSync(folder, { recursive: true }) })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the types of the adapters', () => {
  it('give every session the data that the application registered, or that its manager has', () => {
    expect(complaints([join(import.meta.dirname, 'types.test-d.ts')])).toEqual([])
  })

  it('leave request.session to @types/express-session where the compatible adapter is used', () => {
    const legacy = join(folder, 'legacy.ts')
    writeFileSync(legacy, [
      "import express from 'express'",
      "import 'express-session'",
      "import { createSessions } from 'sojourn'",
      "import { expressCompatSession } from 'sojourn/adapters/express-compat'",
      "declare module 'express-session' { interface SessionData { cart: string[] } }",
      'const app = express()',
      'app.use(expressCompatSession(createSessions()))',
      "app.get('/', (request, response) => { request.session.cart?.push(request.sessionID); request.session.save(() => response.end()) })",
    ].join('\n'))
    expect(complaints([legacy])).toEqual([])
  })

  it('would not if they did not', () => {
    const wrong = join(folder, 'wrong.ts')
    writeFileSync(wrong, [
      "import type { IncomingMessage } from 'node:http'",
      "import type { Sessions } from 'sojourn'",
      "import 'sojourn/adapters/node'",
      "declare module 'sojourn' { interface Register { data: { userId: number } } }",
      'export function handle({ session }: IncomingMessage, _sessions: Sessions): void {',
      "  const text: string = session.get('userId') ?? ''",
      "  session.set('user', text)",
      '}',
    ].join('\n'))
    expect(complaints([wrong]).map((line) => line.replace(/: error TS\d+: .*/, ''))).toEqual(['wrong.ts(6,9)', 'wrong.ts(7,15)'])
  })
})
