// Numbers as a reader wants them: few digits, a stable width in tables, and a dash where there is no number. A report
// that went through JSON holds null where NaN was, so every function takes that too.

/** What may stand in for a number after a trip through JSON. */
export type Figure = number | null | undefined

/** Shown where a figure is missing, NaN or infinite. */
export const MISSING = '–'

/** Whether a figure can be drawn. */
export function isFigure(value: Figure): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** `digits` decimals; numbers too small for them (but not 0) and huge ones in powers of ten. */
export function fixed(value: Figure, digits: number): string {
  if (!isFigure(value)) return MISSING
  const size = Math.abs(value)
  if (size !== 0 && size < 0.5 * 10 ** -digits || size >= 1e7) return exponential(value)
  return minus((value === 0 ? 0 : value).toFixed(digits))
}

/** A share in [0, 1] as per cent: 0.1234 → "12.3%". */
export function percent(value: Figure, digits = 1): string {
  return isFigure(value) ? `${fixed(value * 100, digits)}%` : MISSING
}

/** Three significant digits, no trailing zeros: 0.0199, 16, 1.5, 3e−6. Made for axes and read-outs. */
export function brief(value: Figure): string {
  if (!isFigure(value)) return MISSING
  const size = Math.abs(value)
  if (size >= 1000) return compact(value)
  if (size !== 0 && size < 1e-4) return exponential(value)
  return minus(String(Number(value.toPrecision(3))))
}

/** Counts of any size in at most four digits and a letter: 950, 4.1k, 2.62M. */
export function compact(value: Figure): string {
  if (!isFigure(value)) return MISSING
  for (const [unit, letter] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const) {
    // 999,700 reads as 1M, not as 1000k: the unit is chosen after rounding to three digits.
    const rounded = Number(value.toPrecision(3))
    if (Math.abs(rounded) >= 1e15) return exponential(value)
    if (Math.abs(rounded) >= unit) return `${minus(String(Number((value / unit).toPrecision(3))))}${letter}`
  }
  return minus(String(Number(value.toPrecision(3))))
}

/** A whole count with thousands separated: 65,536. */
export function count(value: Figure): string {
  return isFigure(value) ? minus(value.toLocaleString('en-US', { maximumFractionDigits: 1 })) : MISSING
}

/** Seconds as "41 s", "2 min 32 s" or "3 h 07 min". */
export function duration(seconds: Figure): string {
  if (!isFigure(seconds) || seconds < 0) return MISSING
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

// A real minus sign: as wide as the digits' plus, and not a place to break the line.
function minus(text: string): string {
  return text.replace('-', '−')
}

function exponential(value: number): string {
  return value.toExponential(1).replace('.0e', 'e').replace('e+', 'e').replace(/-/g, '−')
}
