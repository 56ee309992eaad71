import { defineConfig } from 'vitepress'

export default defineConfig({
  title: 'Millrace',
  description: 'Stream processing for TypeScript',
  outDir: '../.cache/site',
  cacheDir: '../.cache/vitepress',
  themeConfig: { search: { provider: 'local' } },
})
