import theme from 'vitepress/theme-without-fonts'
import './site.css'

// biome-ignore lint/style/noDefaultExport: VitePress takes it from there
export default theme
