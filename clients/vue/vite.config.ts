import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  plugins: [vue()],
  build: {
    lib: {
      entry: { index: 'src/index.ts', core: 'src/core/index.ts' },
      formats: ['es'],
      cssFileName: 'style',
    },
    rolldownOptions: { external: ['vue', 'openapi-fetch'] },
  },
  // For the tests of clients/react, which has no packages of its own.
  resolve: {
    alias: [
      { find: '@asr/vue/core', replacement: here('./src/core/index.ts') },
      { find: /^react(-dom)?(?=$|\/)/, replacement: here('./node_modules/') + 'react$1' },
    ],
  },
  oxc: { jsx: { runtime: 'automatic' } },
  // One process for all of them: each of its own would start a browser's likeness anew.
  test: {
    environment: 'happy-dom',
    isolate: false,
    maxWorkers: 1,
    include: ['tests/**/*.test.{ts,tsx}'],
  },
})
