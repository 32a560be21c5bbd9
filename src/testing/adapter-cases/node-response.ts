import { strict as assert } from 'node:assert'
import type { NodeResponseUnderTest } from '../describe-adapter.ts'
import { assertFailed, assertNoSessionCookie, assertSessionCookie, assertStatus, cookieNames, Latch, SESSION_COOKIE, type AdapterCase, type Handler } from './trial.ts'

/** Begins a session, then answers on Node's own response. */
function onNode(act: (response: NodeResponseUnderTest) => unknown): Handler {
  return ({ session }) => {
    session.set('color', 'red')
    return { onNode: async (response) => { await act(response) } }
  }
}

function nodeCase(title: string, run: AdapterCase['run'], only: Pick<AdapterCase, 'slowStoreOnly'> = {}): AdapterCase {
  return { title, needs: ['node-response'], run, ...only }
}

const writeHeads: readonly (readonly [name: string, head: readonly unknown[], names: readonly string[]])[] = [
  ['an object', [201, { 'Set-Cookie': ['theme=dark', 'lang=en'], 'X-Mine': 'yes' }], ['lang', SESSION_COOKIE, 'theme']],
  ['an object with one cookie', [201, { 'set-cookie': 'theme=dark', 'x-mine': 'yes' }], [SESSION_COOKIE, 'theme']],
  ['a flat list', [201, ['X-Mine', 'yes', 'Set-Cookie', 'theme=dark', 'Set-Cookie', 'lang=en']], ['lang', SESSION_COOKIE, 'theme']],
  ['a list of pairs', [201, [['Set-Cookie', 'theme=dark'], ['X-Mine', 'yes'], ['Set-Cookie', 'lang=en']]], ['lang', SESSION_COOKIE, 'theme']],
  ['a reason and an object', [201, 'Made', { 'Set-Cookie': 'theme=dark', 'X-Mine': 'yes' }], [SESSION_COOKIE, 'theme']],
]

export const nodeResponseCases: readonly AdapterCase[] = [
  ...writeHeads.map(([name, head, names]) => nodeCase(`joins the headers that writeHead is given as ${name}`, async ({ site }) => {
    const { ask } = await site(onNode((response) => {
      response.setHeader('Set-Cookie', 'overruled=1')
      response.writeHead(...head)
      response.end('made')
    }))
    const answer = await ask('/')
    assertStatus(answer, 201)
    assert.equal(answer.header('x-mine'), 'yes')
    assert.deepEqual(cookieNames(answer).toSorted(), [...names].toSorted())
    assert.equal(answer.body, 'made')
  })),
  nodeCase('lets no byte of a head that was written first leave before the commit is acknowledged', async ({ site }) => {
    const { send, store, quiet } = await site(onNode((response) => {
      response.writeHead(200, { 'X-Mine': 'yes' })
      assert.equal(response.headersSent, true)
      response.end('page')
    }))
    const held = store.hold('create')
    const sent = send('/')
    await held.reached
    await quiet()
    assert.equal(sent.hasArrived, false)
    held.release()
    const answer = await sent.answer
    assert.equal(answer.header('x-mine'), 'yes')
    assertSessionCookie(answer)
  }, { slowStoreOnly: true }),
  nodeCase('answers false to writes while the commit is under way, then emits drain, and keeps the order', async ({ site }) => {
    const told: unknown[] = []
    const { send, store } = await site(onNode(async (response) => {
      const drained = new Promise<void>((resolve) => { response.once('drain', resolve) })
      told.push(response.write('a'), response.write('b', 'utf8'), response.write('c', () => told.push('c written')), response.headersSent, response.writableEnded)
      await drained
      response.write(Buffer.from('d'))
      response.end('e', () => told.push('ended'))
    }))
    const held = store.hold('create')
    const sent = send('/')
    await held.reached
    assert.deepEqual(told, [false, false, false, true, false])
    held.release()
    assert.equal((await sent.answer).body, 'abcde')
    assert.deepEqual(told.slice(5), ['c written', 'ended'])
  }, { slowStoreOnly: true }),
  nodeCase('emits drain when what was held has been taken, not before', async ({ site }) => {
    const latch = new Latch()
    const { send, store } = await site(onNode(async (response) => {
      const drained = new Promise<boolean>((resolve) => { response.once('drain', () => resolve(response.writableNeedDrain)) })
      response.write('x'.repeat(1_000_000))
      assert.equal(await drained, false)
      response.end('end')
      latch.open()
    }))
    const held = store.hold('create')
    const sent = send('/')
    await held.reached
    held.release()
    await latch.opened
    assert.equal((await sent.answer).body.length, 1_000_003)
  }, { slowStoreOnly: true }),
  nodeCase('takes nothing into the head that comes after the end', async ({ site }) => {
    const { ask } = await site(onNode((response) => {
      response.end('page')
      response.statusCode = 500
      try {
        response.writeHead(500, { 'X-Late': 'yes' })
      } catch {
        // What Node says to it once the head has left.
      }
    }))
    const answer = await ask('/')
    assertStatus(answer, 200)
    assert.equal(answer.header('x-late'), undefined)
    assert.equal(answer.body, 'page')
  }),
  nodeCase('says that the response has been answered while it is held, and takes no second answer', async ({ site }) => {
    const told: unknown[] = []
    const { send, store } = await site(onNode((response) => {
      response.end('page', 'utf8', () => told.push('ended'))
      told.push(response.headersSent, response.writableEnded)
      if (!response.headersSent) response.end('twice')
    }))
    const held = store.hold('create')
    const sent = send('/')
    await held.reached
    assert.deepEqual(told, [true, true])
    held.release()
    assert.equal((await sent.answer).body, 'page')
    assert.deepEqual(told, [true, true, 'ended'])
  }, { slowStoreOnly: true }),
  nodeCase('calls back for writes and the end that a failed commit drops', async ({ site }) => {
    const told: string[] = []
    const { ask, store } = await site(onNode((response) => {
      response.write('apple ', (error: unknown) => told.push(error instanceof Error ? 'write failed' : 'written'))
      response.end('pear', () => told.push('ended'))
    }))
    store.fail('create')
    const answer = await ask('/')
    assertFailed(answer)
    assert.ok(!/apple|pear/.test(answer.body))
    assert.deepEqual(told.toSorted(), ['ended', 'write failed'])
  }),
  nodeCase('drops what a handler goes on writing after its commit has failed', async ({ site }) => {
    const latch = new Latch()
    const finished = new Latch()
    const { send, store } = await site(onNode(async (response) => {
      response.write('apple ')
      await latch.wait()
      response.write('pear ')
      response.end('plum')
      finished.open()
    }))
    store.fail('create')
    const sent = send('/')
    const answer = await sent.answer
    await latch.reached
    latch.open()
    await finished.opened
    assertFailed(answer)
    assert.ok(!/apple|pear|plum/.test(answer.body))
  }),
  nodeCase('sends the head with the cookie at flushHeaders, and begins no session after it', async ({ site }) => {
    const latch = new Latch()
    const codes: unknown[] = []
    const { send } = await site({
      '/new': onNode(async (response) => {
        response.setHeader('Content-Type', 'text/event-stream')
        response.flushHeaders?.()
        await latch.opened
        response.end('data: 1\n\n')
      }),
      '/late': ({ session }) => ({
        onNode: async (response) => {
          response.flushHeaders?.()
          response.write('first')
          await latch.opened
          try {
            session.set('color', 'red')
          } catch (error) {
            codes.push(error instanceof Error && 'code' in error ? error.code : error)
          }
          response.end()
        },
      }),
    })
    const sent = send('/new')
    const late = send('/late')
    await Promise.all([sent.headed, late.contains('first')])
    latch.open()
    const answer = await sent.answer
    assert.equal(answer.header('content-type'), 'text/event-stream')
    assertSessionCookie(answer)
    assert.equal(answer.body, 'data: 1\n\n')
    assertNoSessionCookie(await late.answer)
    assert.deepEqual(codes, ['ERR_SESSION_LATE'])
  }),
  nodeCase('survives a visitor who hangs up while the answer is held', async ({ site }) => {
    const closed = new Latch()
    const { send, ask, store } = await site(onNode((response) => {
      response.once('close', () => closed.open())
      response.write('x'.repeat(100_000))
      response.end('end')
    }))
    const held = store.hold('create')
    const sent = send('/')
    await held.reached
    sent.abort()
    await closed.opened
    held.release()
    assertStatus(await ask('/'), 200)
  }, { slowStoreOnly: true }),
]
