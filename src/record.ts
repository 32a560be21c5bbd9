export { parseRecord, stringifyRecord } from './core/record.ts'
