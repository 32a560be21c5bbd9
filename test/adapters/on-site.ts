import type { AdapterFixture, RunningApp } from '../../src/testing/describe-adapter.ts'
import { runAdapterCase, type Site, type SiteOptions } from '../../src/testing/adapter-cases/trial.ts'
import type { Awaitable } from '../../src/core/store.ts'

export interface OnSiteOptions extends SiteOptions {
  readonly http2?: boolean
  readonly answersAtOnce?: boolean
}

/** A test of one application, which is started for it and stopped after it. */
export function onSite(
  start: (fixture: AdapterFixture) => Awaitable<RunningApp>, run: (site: Site) => Promise<void>, { http2 = false, answersAtOnce = false, ...options }: OnSiteOptions = {},
): () => Promise<void> {
  return () => runAdapterCase({ title: '', run: async ({ site }) => run(await site(() => 'quiet', options)) }, start, { http2, answersAtOnce })
}
