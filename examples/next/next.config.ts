import type { NextConfig } from 'next'

// The example has a lockfile of its own beside that of the repository.
const config: NextConfig = { turbopack: { root: import.meta.dirname } }

// oxlint-disable-next-line import/no-default-export -- what Next asks of its configuration
export default config
