// The smoke on workerd: bundled by the test, as a Worker's build does it.
import { everywhere, serveFetch } from './serve-fetch.ts'

// Made at module scope, where a Worker may draw no random values and start no timers.
const handle = serveFetch(everywhere())

// oxlint-disable-next-line import/no-default-export -- what workerd asks of a module
export default { fetch: (request: Request) => handle(request) }
