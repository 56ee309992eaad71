// Makes the pages of the console from pages/: static files that the console serves from dist/pages.
import { join, resolve } from 'node:path'
import { build } from 'vite'

/** @param out an empty folder, or one that is replaced */
export async function buildPages(out: string): Promise<void> {
  await build({
    root: join(resolve(import.meta.dirname, '..'), 'pages'),
    configFile: false,
    logLevel: 'warn',
    // Relative, so that a proxy may serve them below a path of its own.
    base: './',
    build: {
      outDir: out,
      emptyOutDir: true,
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      target: 'es2022',
    },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  })
}
