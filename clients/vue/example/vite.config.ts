import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

/** The service, for development: the page calls its own address, and Vite hands that on. */
const service = process.env.ASR_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue()],
  // Works in any folder of a web server.
  base: './',
  resolve: {
    alias: { '@asr/vue': fileURLToPath(new URL('../src/index.ts', import.meta.url)) },
  },
  server: { proxy: { '/api': { target: service, changeOrigin: true } } },
  build: { outDir: 'dist', emptyOutDir: true },
})
