import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

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
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'] },
})
