// The series colours, as CSS classes, so that one page serves light and dark. Up to eight layers get hues chosen to stay
// apart under protanopia, deuteranopia and tritanopia (least OKLab distance 0.06 among the solid four and among the
// dashed four) and to reach a contrast of 4.5 on either surface, as their labels are written in them. More layers than
// that are an ordered ramp along the depth of the model: hues would repeat, and depth is what one wants to see.

/** Most layers that get a hue each. */
export const HUES = 8

/** Steps of the ramp. */
export const RAMP = 16

/** The eight hues of each mode; 4 to 7 are drawn dashed. */
export const LIGHT_HUES = ['#2463b8', '#b84607', '#00685a', '#5b1f7a', '#7a6200', '#5a3fc0', '#00747f', '#b01e4b'] as const
export const DARK_HUES = ['#5aa2ee', '#ee7d3c', '#8fe3b8', '#d9a8ee', '#e3c84a', '#8f8df5', '#5fd6e6', '#ee7a85'] as const

// Ends and middle of the ramp: dark violet → blue → green on light, and lighter ones on dark.
const LIGHT_RAMP = ['#3b1d6e', '#1f6aa5', '#4d7a16'] as const
const DARK_RAMP = ['#a78bfa', '#4fb0e8', '#d8e36a'] as const

/** Layer → class of its colour (`k0` … `k7`, or `r0` … `r15`), by the order of `layers`. */
export function layerInks(layers: readonly number[]): ReadonlyMap<number, string> {
  const last = Math.max(1, layers.length - 1)
  return new Map(layers.map((layer, i) => [layer, layers.length <= HUES ? `k${i}` : `r${Math.round(i * (RAMP - 1) / last)}`]))
}

/** The CSS that gives each class its `--ink`, for one mode. */
export function inkRules(mode: 'light' | 'dark'): string {
  const hues = mode === 'light' ? LIGHT_HUES : DARK_HUES, [deep, middle, high] = mode === 'light' ? LIGHT_RAMP : DARK_RAMP
  const rules = hues.map((hue, i) => `.k${i}{--ink:${hue}}`)
  for (let step = 0; step < RAMP; step++) {
    const at = 2 * step / (RAMP - 1)
    const [from, to, share] = at <= 1 ? [deep, middle, at] : [middle, high, at - 1]
    rules.push(`.r${step}{--ink:color-mix(in oklab,${to} ${(share * 100).toFixed(0)}%,${from})}`)
  }
  return rules.join('')
}
