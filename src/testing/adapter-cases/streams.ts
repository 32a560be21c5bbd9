import { strict as assert } from 'node:assert'
import { isSessionError } from '../../core/errors.ts'
import type { Session } from '../../core/session.ts'
import { assertFailed, assertSessionCookie, assertStatus, Latch, type AdapterCase, type Handler } from './trial.ts'

const begin: Handler = ({ session }) => { session.set('color', 'red') }
const look: Handler = ({ session }) => String(session.get('color'))
const CHUNK = 'y'.repeat(64 * 1024)

export const streamCases: readonly AdapterCase[] = [
  {
    title: 'streams chunk by chunk once the commit is acknowledged',
    async run({ site }) {
      const latch = new Latch()
      const { send } = await site((visit) => {
        begin(visit)
        return { body: twoSteps(latch) }
      })
      const sent = send('/')
      await sent.contains('first')
      latch.open()
      const answer = await sent.answer
      assert.equal(answer.body, 'first second')
      assertSessionCookie(answer)
    },
  },
  {
    title: 'streams chunk by chunk to a visitor who stores nothing',
    async run({ site }) {
      const latch = new Latch()
      const { send } = await site(() => ({ body: twoSteps(latch) }))
      const sent = send('/')
      await sent.contains('first')
      latch.open()
      assert.equal((await sent.answer).body, 'first second')
    },
  },
  {
    title: 'asks for little of a body of 10 MB while the commit is under way, and sends it whole and in order',
    slowStoreOnly: true,
    async run({ site }) {
      let asked = 0
      async function* many(): AsyncIterable<string> {
        for (let n = 0; n < 160; n += 1) {
          asked += 1
          yield `${n};${CHUNK}`
        }
      }
      const { send, store, quiet } = await site((visit) => { begin(visit); return { body: many() } })
      const held = store.hold('create')
      const sent = send('/')
      await held.reached
      await quiet()
      assert.ok(asked <= 4, `${asked} chunks of 160 were asked for before one could be sent`)
      held.release()
      const { body } = await sent.answer
      assert.equal(body.replaceAll(/y+/g, ''), Array.from({ length: 160 }, (_, n) => `${n};`).join(''))
      assert.equal(body.replaceAll(/[^y]/g, '').length, 160 * CHUNK.length)
    },
  },
  {
    title: 'throws ERR_SESSION_LATE at what would need a cookie once the head has left',
    async run({ site }) {
      const codes: unknown[] = []
      const late: Handler = ({ session }) => ({ body: afterFirstByte(latch, async () => {
        codes.push(await codeOf(() => session.set('color', 'red')), await codeOf(() => session.login('ada')))
        if (!session.isNew) codes.push(await codeOf(() => session.regenerate()))
      }) })
      let latch = new Latch()
      const { visitor, send, store } = await site({ '/begin': begin, '/late': late })
      const run = async (sent: ReturnType<typeof send>): Promise<void> => {
        await sent.contains('first')
        latch.open()
        assertStatus(await sent.answer, 200)
      }
      await run(send('/late'))
      assert.deepEqual(codes, ['ERR_SESSION_LATE', 'ERR_SESSION_LATE'])
      assert.equal(await store.size(), 0)
      codes.length = 0
      latch = new Latch()
      const someone = visitor()
      await someone.tab().post('/begin')
      await run(send('/late', { visitor: someone }))
      assert.deepEqual(codes, ['no error', 'ERR_SESSION_LATE', 'ERR_SESSION_LATE'])
    },
  },
  {
    title: 'still stores by an explicit commit once the head has left',
    async run({ site }) {
      const latch = new Latch()
      const results: unknown[] = []
      const change = async (session: Session): Promise<void> => {
        session.set('color', 'late')
        results.push(await session.commit(), await session.update('count', () => 1))
      }
      const { visitor, send } = await site({
        '/begin': begin,
        '/late': ({ session }) => ({ body: afterFirstByte(latch, () => change(session)) }),
        '/look': ({ session }) => `${String(session.get('color'))} ${String(session.get('count'))}`,
      })
      const someone = visitor()
      await someone.tab().post('/begin')
      const sent = send('/late', { visitor: someone })
      await sent.contains('first')
      latch.open()
      const answer = await sent.answer
      assert.deepEqual(answer.setCookies, [])
      assert.deepEqual(results, ['ok', 1])
      assert.equal((await someone.tab().get('/look')).text, 'late 1')
    },
  },
  {
    title: 'commits what was set while the body streamed, when it ends and late is asked for, and lets the end wait for that',
    needs: ['late'],
    slowStoreOnly: true,
    async run({ site }) {
      const { visitor, send, store, quiet } = await site({ '/begin': begin, '/late': ({ session }) => ({ body: settingMidway(session) }), '/look': look }, { late: true })
      const someone = visitor()
      await someone.tab().post('/begin')
      const held = store.hold('patch')
      const sent = send('/late', { visitor: someone })
      let hasEnded = false
      sent.answer.then(() => { hasEnded = true }, () => {})
      await sent.contains('second')
      await held.reached
      await quiet()
      assert.equal(hasEnded, false, 'the end has not arrived')
      held.release()
      const answer = await sent.answer
      assert.equal(answer.body, 'first second')
      assert.deepEqual(answer.setCookies, [])
      assert.equal((await someone.tab().get('/look')).text, 'midway')
    },
  },
  {
    title: 'commits nothing when the body ends and late is not asked for',
    async run({ site }) {
      const { visitor, ask } = await site({ '/begin': begin, '/late': ({ session }) => ({ body: settingMidway(session) }), '/look': look })
      const someone = visitor()
      await someone.tab().post('/begin')
      assert.equal((await ask('/late', { visitor: someone })).body, 'first second')
      assert.equal((await someone.tab().get('/look')).text, 'red')
    },
  },
  {
    title: 'breaks the body off when the commit at its end fails, with late',
    needs: ['late'],
    async run({ site }) {
      const { visitor, send, store } = await site({ '/begin': begin, '/late': ({ session }) => ({ body: settingMidway(session, () => store.fail('patch')) }), '/look': look }, { late: true })
      const someone = visitor()
      await someone.tab().post('/begin')
      await assert.rejects(send('/late', { visitor: someone }).answer)
      assert.equal((await someone.tab().get('/look')).text, 'red')
    },
  },
  {
    title: 'commits what was set before a visitor left in the midst of the body, with late',
    needs: ['late'],
    slowStoreOnly: true,
    async run({ site }) {
      const latch = new Latch()
      const endless = (session: Session): AsyncIterable<string> => settingMidway(session, () => latch.opened)
      const { visitor, send, store } = await site({ '/begin': begin, '/late': ({ session }) => ({ body: endless(session) }), '/look': look }, { late: true })
      const someone = visitor()
      await someone.tab().post('/begin')
      const held = store.hold('patch', { when: 'after' })
      const sent = send('/late', { visitor: someone })
      await sent.contains('first')
      sent.abort()
      await held.reached
      held.release()
      latch.open()
      assert.equal((await someone.tab().get('/look')).text, 'midway')
    },
  },
  {
    title: 'breaks off a body whose source fails once the head has left, and keeps what was committed before',
    async run({ site }) {
      const latch = new Latch()
      const { visitor, send } = await site({ '/begin': begin, '/break': ({ session }) => { session.set('color', 'blue'); return { body: failing(latch) } }, '/look': look })
      const someone = visitor()
      await someone.tab().post('/begin')
      const sent = send('/break', { visitor: someone })
      await sent.contains('first')
      latch.open()
      await assert.rejects(sent.answer)
      assert.equal((await someone.tab().get('/look')).text, 'blue')
    },
  },
  {
    title: 'asks for no more of a body when the commit fails',
    async run({ site }) {
      const ended = new Latch()
      let asked = 0
      async function* endless(): AsyncIterable<string> {
        try {
          while (asked < 100) {
            asked += 1
            yield CHUNK
          }
        } finally {
          ended.open()
        }
      }
      const { send, store } = await site((visit) => { begin(visit); return { body: endless() } })
      store.fail('create')
      assertFailed(await send('/').answer)
      assert.ok(asked <= 4, `${asked} chunks were asked for`)
    },
  },
]

/** Sets something between its two chunks. */
async function* settingMidway(session: Session, meanwhile: () => unknown = () => {}): AsyncIterable<string> {
  yield 'first '
  session.set('color', 'midway')
  await meanwhile()
  yield 'second'
}

async function* failing(latch: Latch): AsyncIterable<string> {
  yield 'first '
  await latch.opened
  throw new Error('The source is broken.')
}

async function* twoSteps(latch: Latch): AsyncIterable<string> {
  yield 'first '
  await latch.opened
  yield 'second'
}

async function* afterFirstByte(latch: Latch, act: () => Promise<void>): AsyncIterable<string> {
  yield 'first '
  await latch.opened
  await act()
  yield 'second'
}

async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act()
    return 'no error'
  } catch (error) {
    return isSessionError(error) ? error.code : 'another error'
  }
}
