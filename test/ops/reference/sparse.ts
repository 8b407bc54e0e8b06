// The slow truth of the sparse verbs, written from op_table.h: four of the five here, sparse_scatter in scatter.ts.
import { at, dot, matrix, rowsOf } from './arithmetic.ts'
import type { Matrix, Pattern, Round } from './arithmetic.ts'

/** The order of every ranking: NaN first, then larger values, then the lower index. Negative where a comes first. */
export function compareRank(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
  return a === b ? 0 : a > b ? -1 : 1
}

/** p[n, f] = dot(x[n], weight[f]) + bias[f], [N, F]. */
export function preActivation(x: Matrix, weight: Matrix, bias: Matrix | undefined, r: Round): Matrix {
  return matrix(x.rows, weight.rows, (n, f) => {
    const sum = dot(x, n, weight, f, r)
    return bias ? r(sum + at(bias, 0, f)) : sum
  })
}

/** What sparse_encode is told, beside p. */
export interface Selection { rule: 'topk' | 'positive', relu: boolean, k: number, subset?: readonly number[] }

/** Selects codes from stored pre-activations p [N, F]. */
export function select(p: Matrix, { rule, relu, k, subset }: Selection): { codes: Pattern, z: number[] } {
  const features = subset ?? Array.from({ length: p.columns }, (_, f) => f)
  const starts = [0], index: number[] = [], z: number[] = []
  for (let n = 0; n < p.rows; n++) {
    const chosen = rule === 'topk'
      ? [...features].sort((f, g) => compareRank(at(p, n, f), at(p, n, g)) || f - g).slice(0, k)
      : features.filter(f => at(p, n, f) > 0 || Number.isNaN(at(p, n, f)))
    for (const f of chosen) {
      index.push(f)
      z.push(rule === 'topk' && relu ? Math.max(at(p, n, f), 0) : at(p, n, f))
    }
    starts.push(index.length)
  }
  return { codes: { starts, index }, z }
}

/** Codes of x: the product, then the selection. */
export function sparseEncode(args: Selection & { x: Matrix, weight: Matrix, bias?: Matrix }, r: Round): { codes: Pattern, z: number[] } {
  return select(preActivation(args.x, args.weight, args.bias, r), args)
}

/** out[n] = Σ z·weight[f] + bias, + out[n] where there is an old one. */
export function sparseDecode(
  { codes, z, weight, bias, old }: { codes: Pattern, z: ArrayLike<number>, weight: Matrix, bias?: Matrix, old?: Matrix }, r: Round
): Matrix {
  return matrix(rowsOf(codes), weight.columns, (n, o) => {
    let sum = 0
    for (let i = codes.starts[n]!; i < codes.starts[n + 1]!; i++) sum = r(sum + r(z[i]! * at(weight, codes.index[i]!, o)))
    if (bias) sum = r(sum + at(bias, 0, o))
    return old ? r(sum + at(old, n, o)) : sum
  })
}

/** What sparse_sample reads. */
export interface Sample { codes: Pattern, g: Matrix, weight: Matrix, gate?: ArrayLike<number>, norms?: Matrix, penalty: number }

/** s = dot(g[n], weight[f]) + penalty·norms[f] where gate is not 0, and the loss term of that penalty. */
export function sparseSample({ codes, g, weight, gate, norms, penalty }: Sample, r: Round): { out: number[], penaltySum: number } {
  const out = codes.index.map(() => 0)
  let penaltySum = 0
  for (let n = 0; n < rowsOf(codes); n++) {
    let rowSum = 0
    for (let i = codes.starts[n]!; i < codes.starts[n + 1]!; i++) {
      const f = codes.index[i]!
      if (gate && gate[i] === 0) continue
      out[i] = dot(g, n, weight, f, r)
      if (!norms) continue
      out[i] = r(out[i]! + r(penalty * at(norms, 0, f)))
      rowSum = r(rowSum + r((gate?.[i] ?? 0) * at(norms, 0, f)))
    }
    penaltySum = r(penaltySum + rowSum)
  }
  return { out, penaltySum: r(penalty * penaltySum) }
}

/** The positions of codes by feature: of each its row and its slot in a plane. */
export interface FeatureMajor { starts: number[], rows: number[], slots: number[], fired: number[] }

/** Regroups codes by feature; rows ascend within a feature. */
export function featureMajor({ codes, features, z }: { codes: Pattern, features: number, z?: ArrayLike<number> }): FeatureMajor {
  const result: FeatureMajor = { starts: [0], rows: [], slots: [], fired: [] }
  for (let f = 0; f < features; f++) {
    let fired = 0
    for (let n = 0; n < rowsOf(codes); n++) {
      for (let i = codes.starts[n]!; i < codes.starts[n + 1]!; i++) {
        if (codes.index[i] !== f) continue
        result.rows.push(n)
        result.slots.push(i)
        if (z && z[i] !== 0) fired++
      }
    }
    result.starts.push(result.rows.length)
    result.fired.push(fired)
  }
  return result
}
