/** Numbers of the last two minutes as a line; what they are is said beside it. */
export function Sparkline({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  const width = 96
  const height = 24
  const most = Math.max(1e-9, ...values)
  const step = width / Math.max(1, values.length - 1)
  const points = values.map(
    (value, i) => `${(i * step).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`,
  )
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={label}>
      {values.length > 1 ? <polyline points={points.join(' ')} /> : null}
    </svg>
  )
}
