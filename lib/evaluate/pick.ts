// Which features of a layer are worth a look, by scores that are said on the card.
//
//   purity        share of a feature's activation (Σ value) that falls on its most frequent token
//   after         the same for the token before the one on which it fires: context, where purity alone is low
//   density       share of tokens on which it fires
//   maximum       its largest value
//   sharpness     mean value over its firings / mean value over all firings of the layer, for rare features
import type { Firings } from './firings.ts'
import type { Turn } from '../native/slices.ts'

/** A feature and why it was chosen. Tokens in `why` stand between backticks. */
export interface Pick { readonly feature: number, readonly density: number, readonly maximum: number, readonly why: string }

/** What is known of a feature that fires often enough. */
interface Profile {
  readonly feature: number
  readonly count: number
  readonly mean: number
  readonly maximum: number
  readonly token: number
  readonly purity: number
  readonly before: number
  readonly after: number
}

const FEWEST = 20            // firings, below which a share says little
const RARE = 1e-3            // density up to which a feature counts as rare

// One reason to choose a feature: how many by it, by which score (0: not at all), and the words on the card.
interface Kind {
  readonly wanted: number
  readonly score: (p: Profile) => number
  readonly why: (p: Profile) => string
  /** No two features are chosen for one token. */
  readonly token?: (p: Profile) => number
}

function kindsOf(rows: number, average: number, piece: (id: number) => string): readonly Kind[] {
  const share = (x: number): string => `${Math.round(100 * x)}%`
  return [{
    wanted: 2, token: p => p.token, score: p => p.purity >= 0.8 ? p.purity * Math.log(p.count) : 0,
    why: p => `fires on one token: \`${piece(p.token)}\` has ${share(p.purity)} of its activation`,
  }, {
    wanted: 1, token: p => p.before, score: p => p.purity < 0.5 && p.after >= 0.6 ? p.after * Math.log(p.count) : 0,
    why: p => `fires after one token: \`${piece(p.before)}\` comes before ${share(p.after)} of its activation`,
  }, {
    wanted: 1, score: p => p.count, why: p => `fires on most tokens of all features of this layer: ${share(p.count / rows)}`,
  }, {
    wanted: 1, score: p => p.maximum, why: () => 'has the largest activation of this layer',
  }, {
    wanted: 1, score: p => p.count <= RARE * rows ? p.mean / average : 0,
    why: p => `rare and strong: when it fires, ${(p.mean / average).toFixed(1)} times the layer's mean activation`,
  }]
}

/** About `count` features of one layer, no two for the same reason and token. `context`: length of the windows that were read alone. */
export async function pickFeatures(firings: Firings, ids: Uint32Array, context: number, count: number, piece: (id: number) => string,
  turn: Turn): Promise<Pick[]> {
  const profiles = await profilesOf(firings, ids, context, turn), kinds = kindsOf(ids.length, meanOf(firings.values), piece)
  const chosen = new Map<number, Pick>(), tokens = new Set<number>()
  // Kinds that find nothing leave their places to more features of one token.
  for (const kind of [...kinds, { ...kinds[0]!, wanted: count }]) {
    let left = Math.min(kind.wanted, count - chosen.size)
    const ranked = profiles.map(p => ({ p, score: kind.score(p) })).filter(({ score }) => score > 0)
    for (const { p } of ranked.sort((a, b) => b.score - a.score || a.p.feature - b.p.feature)) {
      if (left === 0) break
      const token = kind.token?.(p)
      if (chosen.has(p.feature) || (token !== undefined && tokens.has(token))) continue
      if (token !== undefined) tokens.add(token)
      chosen.set(p.feature, { feature: p.feature, density: p.count / ids.length, maximum: p.maximum, why: kind.why(p) })
      left--
    }
  }
  return [...chosen.values()]
}

async function profilesOf({ starts, rows, values }: Firings, ids: Uint32Array, context: number, turn: Turn): Promise<Profile[]> {
  const out: Profile[] = [], onToken = new Map<number, number>(), afterToken = new Map<number, number>()
  for (let feature = 0; feature + 1 < starts.length; feature++) {
    const from = starts[feature]!, to = starts[feature + 1]!
    if (to - from < FEWEST) continue
    let mass = 0, maximum = -Infinity
    onToken.clear()
    afterToken.clear()
    for (let i = from; i < to; i++) {
      const value = values[i]!, row = rows[i]!, size = Math.abs(value)
      mass += size
      if (value > maximum) maximum = value
      onToken.set(ids[row]!, (onToken.get(ids[row]!) ?? 0) + size)
      if (row % context) afterToken.set(ids[row - 1]!, (afterToken.get(ids[row - 1]!) ?? 0) + size)
      if ((i & 1023) === 0 && turn.isOver) await turn.rest()
    }
    if (!Number.isFinite(mass)) continue
    const [token, own] = largest(onToken), [before, after] = largest(afterToken)
    out.push({ feature, count: to - from, mean: mass / (to - from), maximum, token, purity: own / mass, before, after: after / mass })
  }
  return out
}

function largest(masses: ReadonlyMap<number, number>): [number, number] {
  let token = 0, most = 0
  for (const [one, mass] of masses) if (mass > most) { token = one; most = mass }
  return [token, most]
}

function meanOf(values: Float32Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!)
  return sum / values.length
}
