/** Rate of a growing count over the last `windowMs`, from samples; holds at most one sample per call within the window. */
export class RateMeter {
  private readonly samples: { readonly at: number; readonly count: number }[] = []
  private readonly windowMs: number

  constructor(windowMs: number) {
    this.windowMs = windowMs
  }

  /** Takes a sample and gives the rate per second; 0 until there are two. */
  sample(at: number, count: number): number {
    this.samples.push({ at, count })
    while (this.samples.length > 2 && (this.samples[0]?.at ?? at) < at - this.windowMs) this.samples.shift()
    const first = this.samples[0]
    if (first === undefined || at <= first.at) return 0
    return ((count - first.count) * 1000) / (at - first.at)
  }
}
