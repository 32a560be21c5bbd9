import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import makeFetchCookie from 'fetch-cookie'
import { CookieJar } from 'tough-cookie'
import { Agent, fetch } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findBinary, temporaryFolder } from '../servers/process.ts'
import { describeWithServer } from '../servers/suite.ts'
import { startAccount, type Account } from './account.ts'
import { makeCertificate, type Certificate } from './certificate.ts'

const openssl = findBinary('openssl')
const curl = findBinary('curl')
let account: Account

const visits = Array.from({ length: 10 }, () => '/visit')

describeWithServer('curl', { binary: curl, name: 'curl', howToGet: 'apt-get install curl' }, (program) => {
  describe.each(openssl === undefined ? ['http'] : ['http', 'https'])('over %s', (scheme) => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>
    let certificate: Certificate | undefined

    beforeEach(async () => {
      folder = await temporaryFolder('curl')
      certificate = scheme === 'https' && openssl !== undefined ? await makeCertificate(openssl) : undefined
      account = await startAccount(certificate === undefined ? {} : { certificate })
    })
    afterEach(async () => {
      await account.close()
      await certificate?.remove()
      await folder.remove()
    })

    const jar = (): string => join(folder.path, 'cookies')
    const ask = async (...args: readonly string[]): Promise<string> => {
      const trust = certificate === undefined ? [] : ['--cacert', certificate.path]
      const { stdout } = await promisify(execFile)(program, ['--silent', '--show-error', '--fail', '--noproxy', '*', ...trust, '--cookie', jar(), '--cookie-jar', jar(), ...args], { cwd: folder.path })
      return stdout
    }
    const who = async (): Promise<unknown> => JSON.parse(await ask(`${account.origin}/me`))

    it('is a visitor, logs in and out, and keeps its cookie in a file meanwhile', async () => {
      expect(await who()).toEqual({ user: 'visitor', visits: 0 })
      expect(await readFile(jar(), 'utf8')).not.toContain('sid')
      for (const path of visits.slice(0, 2)) await ask('--request', 'POST', account.origin + path)
      expect(await ask('--location', '--data', 'user=ada', `${account.origin}/login`)).toContain('Hello ada, 2 visits')
      expect(await readFile(jar(), 'utf8')).toMatch(scheme === 'https' ? /^#HttpOnly_127\.0\.0\.1\tFALSE\t\/\tTRUE\t0\t__Host-sid\t/m : /^#HttpOnly_127\.0\.0\.1\tFALSE\t\/\tFALSE\t0\tsid\t/m)
      expect(await who()).toEqual({ user: 'ada', visits: 2 })
      await ask('--data', '', `${account.origin}/logout`)
      expect(await readFile(jar(), 'utf8')).not.toContain('sid')
      expect(await who()).toEqual({ user: 'visitor', visits: 0 })
    })

    it('loses none of its parallel requests', async () => {
      await ask('--data', 'user=ada', `${account.origin}/login`)
      await ask('--parallel', '--request', 'POST', ...visits.flatMap((path) => ['--output', 'answer', account.origin + path]))
      expect(await who()).toEqual({ user: 'ada', visits: 10 })
    })
  })
})

describe('undici with a cookie jar', () => {
  beforeEach(async () => { account = await startAccount() })
  afterEach(() => account.close())

  it('is a visitor, logs in and out, and keeps its cookie meanwhile', async () => {
    const jar = new CookieJar()
    const agent = new Agent({ connections: 4 })
    const cookieFetch = makeFetchCookie(fetch, jar)
    const ask = (path: string, method: 'GET' | 'POST' = 'GET', body?: string) => cookieFetch(account.origin + path, { dispatcher: agent, method, ...(body !== undefined && { body: new URLSearchParams(body) }) })
    const who = async (): Promise<unknown> => (await ask('/me')).json()
    expect(await who()).toEqual({ user: 'visitor', visits: 0 })
    expect(await jar.getCookies(account.origin)).toEqual([])
    expect(await (await ask('/login', 'POST', 'user=ada')).text()).toContain('Hello ada, 0 visits')
    expect(await jar.getCookies(account.origin)).toMatchObject([{ key: 'sid', httpOnly: true, path: '/', sameSite: 'lax' }])
    await Promise.all(visits.map((path) => ask(path, 'POST')))
    expect(await who()).toEqual({ user: 'ada', visits: 10 })
    expect(await (await ask('/logout', 'POST')).text()).toContain('Bye')
    expect(await jar.getCookies(account.origin)).toEqual([])
    expect(await who()).toEqual({ user: 'visitor', visits: 0 })
    await agent.close()
  })
})
