// Report data like a real run's: curves that fall and jitter, texts made of code and prose tokens, and the same again
// with everything that text and figures can do wrong. Seeded: the same page every time.
import type { FeatureCard, FeatureContext, LayerCurves, ReportData } from '../../lib/view/data.ts'
import type { LayerEvaluation } from '../../lib/evaluate/result.ts'

/** Strings that break a careless page. */
export const HOSTILE = [
  '</script><script>window.broken=1</script>', '<img src=x onerror="window.broken=1">', '"><svg onload=window.broken=1>', '\' onmouseover=window.broken=1 x=\'',
  '&lt;b&gt;&amp;', '\u0000\u0007\u001b[31m', '\ud800', '\udc00x', '\u202eevil\u202c', '\ufeff\u200b', '<!--', ']]>', '\r\n\t', '</style><style>*{display:none}', '\uffff', 'a\u2028b',
  '{{constructor.constructor("x")()}}', '\u0300\u0301', '</title><script>window.broken=1</script>', 'https://example.invalid/x.png',
]

// Tokens between bars.
const CODE = ('export| function| parse|Options|(|options|:| ParseOptions| =| {}|)| {|\n|  | const| {| encoding| =| \'utf|8|\'| }| =| options' +
  '|\n|  | if| (|a| <| b| &&| "|</|script|>"|)| return|\n|}|\n\n|\t|for| await').split('|')
const PROSE = ('The| war| lasted| from| the| year| 17|32| to| the| year| 17|87|.|\n|Step| 2|:| not| True| =| False|\n|The| capital| of' +
  '| Thor|or| is| Post|is|.| So| the| river| ends| in| a| desert|.').split('|')

/** Uniform numbers in [0, 1) from a seed (a linear congruential generator: good enough to jitter a curve). */
export function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
}

/** A run of `layers` layers, `steps` steps and `cards` feature cards. */
export function sampleReport(options: { layers?: number, steps?: number, cards?: number } = {}): ReportData {
  const { layers = 4, steps = 244, cards = 24 } = options, roll = dice(7)
  const all = Array.from({ length: layers }, (_, layer) => layer)
  const goal = (layer: number) => [0.0199, 0.0907, 0.0703, 0.0306][layer % 4]! * (1 + Math.floor(layer / 4) / 10)
  const curves = all.map((layer): LayerCurves => {
    const fvu = Array.from({ length: steps }, (_, i) => (goal(layer) + 1.3 * Math.exp(-i / (9 + 4 * layer % 13)) + 0.25 * Math.exp(-i / 60)) * (0.94 + 0.12 * roll()))
    return {
      layer, fvu, loss: fvu.map(value => value * 1.04 + 0.002), l0: fvu.map(() => 16 - (roll() < 0.1 ? roll() * 0.05 : 0)),
      dead: fvu.map((_, i) => i < 25 ? 0 : Math.max(0, 0.22 * Math.exp(-((i - 60) ** 2) / 1800) + 0.02 * (layer % 4) - 0.004 * roll())),
    }
  })
  return {
    title: 'Transcoders of codelm', created: '2025-06-01T12:34:56.789Z',
    model: { name: 'examples/codelm', parameters: 2_615_424, layers, width: 192, vocabulary: 4096 },
    settings: { activation: 'topk:16', features: '2048', skip: 'yes', preset: 'topk', 'learning rate': '2e-3', batch: '4096', seed: '0', device: 'cpu (avx512-vnni)', screen: 'int8', site: 'mlpInput → mlpOutput' },
    training: { tokens: Array.from({ length: steps }, (_, i) => (i + 1) * 4096), seconds: 61.4, tokensPerSecond: 16_280, layers: curves },
    evaluation: {
      tokens: 65_536, clean: 0.9702, layers: all.map(layer => evaluated(layer, goal(layer), roll)),
      all: { spliced: 1.0412, zero: 8.1033, mean: 6.9318, kl: 0.0713, recoveredZero: 0.99005, recoveredMean: 0.98809 },
    },
    features: Array.from({ length: cards }, (_, i) => sampleCard(i, layers, roll)),
  }
}

function evaluated(layer: number, fvu: number, roll: () => number): LayerEvaluation {
  const spliced = 0.9702 + fvu * 0.3, zero = 0.9702 + [8.1, 0.6, 0.52, 0.31][layer % 4]!, mean = zero - 0.12
  const edges = Array.from({ length: 51 }, (_, i) => Number((-10 + i * 0.2).toFixed(1)))
  const hill = (edge: number) => Math.round(260 * Math.exp(-((edge + 2.4 + 0.15 * (layer % 4)) ** 2) / 0.7) * (0.85 + 0.3 * roll()))
  const counts = edges.slice(0, -1).map((edge, i) => i === 0 ? 40 + 30 * (layer % 4) : edge < -5 ? 0 : hill(edge))
  return {
    layer, fvu, cosine: Math.sqrt(1 - fvu), l0: 15.97, dead: counts[0]! / 2048, spliced, zero, mean, kl: fvu * 0.28,
    recoveredZero: (zero - spliced) / (zero - 0.9702), recoveredMean: (mean - spliced) / (mean - 0.9702), density: { edges, counts },
  }
}

function sampleCard(index: number, layers: number, roll: () => number): FeatureCard {
  const maximum = 2 + 9 * roll(), source = index % 2 ? CODE : PROSE
  const contexts = Array.from({ length: 5 }, (_, c): FeatureContext => {
    const start = Math.floor(roll() * source.length), length = 24 + Math.floor(roll() * 24), at = 8 + Math.floor(roll() * 12)
    const tokens = Array.from({ length }, (_, i) => source[(start + i) % source.length]!)
    const values = tokens.map((_, i) => i === at ? maximum * (1 - 0.06 * c) : Math.abs(i - at) < 4 && roll() < 0.5 || roll() < 0.05 ? maximum * roll() * 0.8 : 0)
    return { tokens, values, at }
  })
  const top = contexts[0]!.tokens[contexts[0]!.at]!
  return {
    layer: index % layers, feature: Math.floor(roll() * 2048), density: 10 ** (-0.5 - 3.5 * roll()), maximum, contexts,
    why: ['fires on one token: `' + top + '`', 'fires most often of all', 'changes the loss most when it is left out', 'fires rarely and hard'][index % 4]!,
  }
}

/** Every string hostile, every other figure missing, arrays of unequal length. */
export function hostileReport(): ReportData {
  const [first, second] = HOSTILE, whole = HOSTILE.join(''), sample = sampleReport({ layers: 2, steps: 5, cards: 1 })
  const missing = { spliced: NaN, zero: Infinity, mean: -Infinity, kl: null as unknown as number, recoveredZero: -311, recoveredMean: NaN }
  return {
    title: whole, created: whole, model: { name: whole, parameters: NaN, layers: 2, width: Infinity, vocabulary: -1 },
    settings: Object.fromEntries(HOSTILE.map((text, i) => [text, HOSTILE[(i + 1) % HOSTILE.length]!])),
    training: {
      tokens: [0, 0, NaN, 3, 4], seconds: NaN, tokensPerSecond: Infinity,
      layers: [
        { layer: 0, fvu: [0, -1, NaN, 1, 0], loss: [], l0: [NaN, NaN, NaN, NaN, NaN], dead: [0, 0, 0, 0, 0] },
        { layer: 1, fvu: [NaN, 2, NaN, 1e300, NaN], loss: [1], l0: [1, 1], dead: [2, -1, 0, 1, Infinity] },
      ],
    },
    evaluation: {
      tokens: 0, clean: NaN, all: missing, layers: [0, 5].map(layer => {
        return { ...sample.evaluation.layers[0]!, ...missing, layer, fvu: NaN, density: { edges: layer ? [] : [-10, NaN, 1], counts: [1, 2, NaN] } }
      }),
    },
    features: [
      { layer: 0, feature: 1, density: NaN, maximum: NaN, why: first! + second!, contexts: HOSTILE.map(text => ({ tokens: [text, '', ' <', text], values: [1, NaN], at: 9 })) },
      { layer: 9, feature: 2, density: 0, maximum: 0, why: whole, contexts: [] },
    ],
  }
}
