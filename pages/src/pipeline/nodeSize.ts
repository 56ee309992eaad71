/** Of a part in the drawing, px. */
export const nodeWidth = 132
export const nodeHeight = 44
/** Smaller than that nobody can read it, and it scrolls. */
export const leastScale = 0.76

let context: CanvasRenderingContext2D | null = null

/** So much of the text as fits beside each other, in the font of the page. */
export function fitted(text: string, weight: number, px: number, width: number): string {
  context ??= document.createElement('canvas').getContext('2d')
  if (context === null) return text
  context.font = `${weight} ${px}px ${getComputedStyle(document.body).fontFamily}`
  if (context.measureText(text).width <= width) return text
  let end = text.length - 1
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end -= 1
  return `${text.slice(0, end)}…`
}
