import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { describe, it } from 'vitest'
import { responseFrom } from '../../test/adapters/fetch-server.ts'
import { listen } from '../../test/adapters/node-server.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { honoSession, type HonoSessionVariables } from './hono.ts'
import type { Session } from '../core/session.ts'

function application({ sessions, second, answer }: AdapterFixture): Hono<{ Variables: HonoSessionVariables & { second: Session } }> {
  const app = new Hono<{ Variables: HonoSessionVariables & { second: Session } }>()
  app.use(honoSession(sessions), honoSession(second, { as: 'second' }))
  app.onError((_error, context) => context.text('Internal Server Error', 500))
  app.all('*', async ({ req, var: { session, second } }) => {
    const { pathname, search } = new URL(req.url)
    return responseFrom(await answer({ method: req.method, url: pathname + search, session, second, text: () => req.text() }))
  })
  return app
}

describeAdapter({ describe, it }, 'hono', (fixture) => listen(createAdaptorServer(application(fixture))), { lacks: ['node-response'] })
