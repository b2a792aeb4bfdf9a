import { fileURLToPath, URL } from 'node:url'
import vue from '@vitejs/plugin-vue'
import vuetify from 'vite-plugin-vuetify'
import { defineConfig } from 'vitest/config'

/** The app-server that `npm run dev` shows; another one is named by CONCORDANCE_URL. */
const server = process.env.CONCORDANCE_URL ?? 'http://127.0.0.1:7400'

export default defineConfig({
  plugins: [vue(), vuetify({ autoImport: true })],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  // Small fonts stay files: the content security policy allows none inside the style sheet.
  build: { target: 'es2022', assetsInlineLimit: 0 },
  server: {
    proxy: {
      // The server refuses writes from another origin, so the proxy speaks as the server's own page.
      '/api': { target: server, changeOrigin: true, headers: { origin: server } },
    },
  },
  test: {
    environment: 'happy-dom',
    setupFiles: ['src/testing/environment.ts'],
    include: ['src/**/*.test.ts'],
    server: { deps: { inline: ['vuetify'] } },
    css: false,
    maxWorkers: 1,
    restoreMocks: true,
    unstubGlobals: true,
  },
})
