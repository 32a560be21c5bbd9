import { reactRouter } from '@react-router/dev/vite'
import { defineConfig } from 'vite'

// oxlint-disable-next-line import/no-default-export -- what Vite asks of its configuration
export default defineConfig({ plugins: [reactRouter()] })
