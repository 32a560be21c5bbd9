import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))

/** The system's Chromium, headless and silent on the network. Its back/forward cache, which Playwright switches off, is on when asked. */
export async function launchChromium({ backForwardCache = false } = {}): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('No Chromium found. Install the package chromium.')
  return chromium.launch({
    executablePath: CHROMIUM,
    ...(backForwardCache && { ignoreDefaultArgs: ['--disable-back-forward-cache'] }),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
}
