import { cookieCases } from './cookies.ts'
import { crossSiteCases } from './cross-site.ts'
import { failureCases } from './failures.ts'
import { headCases } from './heads.ts'
import { nodeResponseCases } from './node-response.ts'
import { raceCases } from './races.ts'
import { requestCases } from './requests.ts'
import { streamCases } from './streams.ts'
import type { AdapterCase } from './trial.ts'

/** Every rule of the adapter contract. */
export const adapterCases: readonly AdapterCase[] = [...cookieCases, ...headCases, ...failureCases, ...requestCases, ...crossSiteCases, ...raceCases, ...streamCases, ...nodeResponseCases]
