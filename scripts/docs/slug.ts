/** The anchor of a heading, as GitHub makes it: the site makes the same, so one link works in both. */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('`', '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
}

/** The anchors of a page of Markdown. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const withoutFences = page.replaceAll(/^(`{3,}).*\n[\s\S]*?^\1/gm, '')
  const seen = new Map<string, number>()
  const anchors = [...withoutFences.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading)
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
  return new Set(anchors)
}
