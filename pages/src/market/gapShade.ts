import type { IChartApi, IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, Time } from 'lightweight-charts'

type Target = Parameters<IPrimitivePaneRenderer['draw']>[0]

/** From one candle to another, by their open times. */
export interface ShadedSpan {
  readonly from: Time
  readonly to: Time
}

/** Hatches the candles from which trades are missing, over the whole height. */
export class GapShade implements ISeriesPrimitive<Time> {
  readonly #chart: IChartApi
  #spans: readonly ShadedSpan[] = []
  #color = ''
  #redraw: () => void = () => undefined
  readonly #view: IPrimitivePaneView = {
    zOrder: () => 'bottom',
    renderer: () => ({ draw: (target) => this.#draw(target) }),
  }

  constructor(chart: IChartApi) {
    this.#chart = chart
  }

  attached({ requestUpdate }: { readonly requestUpdate: () => void }): void {
    this.#redraw = requestUpdate
  }

  show(spans: readonly ShadedSpan[], color: string): void {
    this.#spans = spans
    this.#color = color
    this.#redraw()
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [this.#view]
  }

  #draw(target: Target): void {
    const scale = this.#chart.timeScale()
    const half = scale.options().barSpacing / 2
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio }) => {
      context.save()
      context.strokeStyle = this.#color
      context.lineWidth = Math.max(1, horizontalPixelRatio)
      for (const { from, to } of this.#spans) {
        const left = scale.timeToCoordinate(from)
        const right = scale.timeToCoordinate(to)
        if (left === null || right === null) continue
        const x = (left - half) * horizontalPixelRatio
        const width = Math.max(3, (right - left + 2 * half) * horizontalPixelRatio)
        context.save()
        context.beginPath()
        context.rect(x, 0, width, bitmapSize.height)
        context.clip()
        context.beginPath()
        const step = 8 * horizontalPixelRatio
        for (let at = x - bitmapSize.height; at < x + width; at += step) {
          context.moveTo(at, bitmapSize.height)
          context.lineTo(at + bitmapSize.height, 0)
        }
        context.stroke()
        context.restore()
      }
      context.restore()
    })
  }
}
