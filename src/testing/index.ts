export { movableClock, type MovableClock } from './clock.ts'
export { describeStore, type Capability, type DescribeStoreOptions, type Runner, type StoreUnderTest } from './describe-store.ts'
export {
  describeAdapter, type AdapterFixture, type DescribeAdapterOptions, type NodeResponseUnderTest, type Reply, type RunningApp, type Visit,
} from './describe-adapter.ts'
export { browser, type Browser, type BrowserOptions, type FetchFunction, type Page, type StoredCookie, type Tab, type TabRequest } from './browser.ts'
export { login, type LoginForTestOptions, type TestLogin } from './login.ts'
export { holdable, type HoldableStore, type Held, type HoldOptions, type StoreCall, type StoreMethod } from './race-kit.ts'
export { races, type RaceFault, type RaceRoutes, type RacesOptions, type Score, type ScoreCard } from './races.ts'
