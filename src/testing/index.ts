export { describeStore, type DescribeStoreOptions, type Runner, type StoreUnderTest } from './describe-store.ts'
