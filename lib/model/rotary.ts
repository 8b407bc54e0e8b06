// Frequencies of rotary positions, plain and scaled for contexts longer than the model was trained on. Each step is rounded to f32
// where transformers rounds it: an angle is frequency · place, and at place 10⁵ a relative error of 1e-7 is 1e-2 radians.
import type { Rotary } from './architecture.ts'

const f32 = Math.fround

/** How frequencies are scaled, with what the fields of that kind say. */
export type Scaling =
  | { readonly kind: 'default' }
  | { readonly kind: 'linear', readonly factor: number }
  | { readonly kind: 'dynamic', readonly factor: number, readonly context: number }
  | { readonly kind: 'llama3', readonly factor: number, readonly low: number, readonly high: number, readonly original: number }
  | {
    readonly kind: 'yarn', readonly factor: number, readonly original: number, readonly fast: number, readonly slow: number
    /** Whether the bounds of the ramp become whole columns. */
    readonly truncate: boolean
    /** Multiplies cosines and sines. */
    readonly magnitude: number
  }

/** Rotary positions of `columns` columns (base θ); an odd number turns one more column, as GPT-NeoX has it. */
export function rotary(theta: number, columns: number, scaling: Scaling): Rotary {
  const turned = 2 * Math.ceil(columns / 2)
  if (scaling.kind === 'dynamic') {
    const frequencies = (length: number): Float32Array => plain(stretched(theta, columns, length, scaling), columns)
    return { columns: turned, factor: 1, frequencies, fixedUpTo: scaling.context }
  }
  const fixed = scaled(plain(theta, columns), theta, columns, scaling)
  return { columns: turned, factor: scaling.kind === 'yarn' ? f32(scaling.magnitude) : 1, frequencies: () => fixed, fixedUpTo: Infinity }
}

/** YaRN's factor on cosines and sines, where the config does not give it: its paper's 0.1 · ln(factor) + 1. */
export function magnitudeOf(factor: number, weight = 1): number { return factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1 }

// θ^(2j / columns), before it is inverted.
function periods(theta: number, columns: number): Float32Array {
  return Float32Array.from({ length: Math.ceil(columns / 2) }, (_, j) => Math.pow(f32(theta), f32(2 * j / columns)))
}

function plain(theta: number, columns: number): Float32Array { return periods(theta, columns).map(period => 1 / period) }

// "dynamic": the base that spreads the trained angles over a sequence of `length`.
function stretched(theta: number, columns: number, length: number, { factor, context }: { factor: number, context: number }): number {
  const longer = f32(f32(f32(f32(factor) * Math.max(length, context)) / context) - f32(factor - 1))
  return f32(f32(theta) * f32(Math.pow(longer, f32(columns / (columns - 2)))))
}

function scaled(frequencies: Float32Array, theta: number, columns: number, scaling: Exclude<Scaling, { kind: 'dynamic' }>): Float32Array {
  switch (scaling.kind) {
    case 'default': return frequencies
    case 'linear': return frequencies.map(x => x / f32(scaling.factor))
    case 'llama3': return llama3(frequencies, scaling)
    case 'yarn': return yarn(theta, columns, scaling)
  }
}

// Short waves stay, long ones are stretched by `factor`, those between are mixed of both.
function llama3(frequencies: Float32Array, { factor, low, high, original }: Extract<Scaling, { kind: 'llama3' }>): Float32Array {
  const shortest = f32(original / high), longest = f32(original / low)
  return frequencies.map(x => {
    const wave = f32(f32(2 * Math.PI) / x)
    if (wave > longest) return x / f32(factor)
    if (wave < shortest) return x
    const kept = f32(f32(f32(original / wave) - f32(low)) / f32(high - low))
    return f32(f32(f32(1 - kept) * x) / f32(factor)) + f32(kept * x)
  })
}

// Columns that turn more than `fast` times in the original context stay, those that turn less than `slow` times are stretched, with a
// ramp between them.
function yarn(theta: number, columns: number, { factor, original, fast, slow, truncate }: Extract<Scaling, { kind: 'yarn' }>): Float32Array {
  const column = (turns: number): number => columns * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(theta))
  const from = Math.max(truncate ? Math.floor(column(fast)) : column(fast), 0)
  const bound = Math.min(truncate ? Math.ceil(column(slow)) : column(slow), columns - 1)
  const to = bound === from ? bound + 0.001 : bound
  return periods(theta, columns).map((period, j) => {
    const ramp = Math.min(Math.max(f32(f32(j - f32(from)) / f32(to - from)), 0), 1), kept = f32(1 - ramp)
    return f32(f32(1 / f32(f32(factor) * period)) * f32(1 - kept)) + f32(f32(1 / period) * kept)
  })
}
