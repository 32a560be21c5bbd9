// cookie-session, as its documentation says.
import { createServer } from 'node:http'
import cookieSession from 'cookie-session'
import express from 'express'
import { answer, tellPort } from '../scorecard/routes.ts'

function visit(request) {
  return {
    login: (owner) => { request.session.user = owner },
    logout: () => { request.session = null },
    write: (key, value) => { request.session[key] = value },
    owner: () => request.session.user,
    data: () => Object.fromEntries(Object.entries(request.session).filter(([key]) => key !== 'user')),
  }
}

const app = express()
app.use(cookieSession({ name: 'session', keys: ['key1', 'key2'] }))
app.use(async (request, response) => { response.send(await answer(request.url, visit(request))) })

const server = createServer(app).listen(0, '127.0.0.1', () => tellPort(server.address()))
