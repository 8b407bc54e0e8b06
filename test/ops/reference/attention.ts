// The slow truth of attention: forward, its pattern, and the linear map that it is once the pattern is kept.
import { at, matrix } from './arithmetic.ts'
import type { Matrix, Round } from './arithmetic.ts'

/** What makes a pattern; q [N, heads·W], k [M, keyHeads·W]. keyHeads: as heads. window, cap: none. */
export interface Scores { q: Matrix, k: Matrix, heads: number, keyHeads?: number, scale: number, window?: number, cap?: number }

/** Where the keys of each sequence lie, where they are not the rows of its queries. */
export interface Cache { starts: readonly number[], counts: readonly number[] }

/** What attend is told; v as k. */
export interface Attend extends Scores { v: Matrix, starts: readonly number[], cache?: Cache }

/** e^(score − largest) of one query and head for the keys it sees, and their sum. The query stands at `position` behind row `key` of k. */
function powers(s: Scores, h: number, query: number, key: number, position: number, r: Round): { first: number, powers: number[], total: number } {
  const { q, k, heads, keyHeads = heads, scale, window = 0, cap = 0 } = s
  const width = q.columns / heads, from = h * width, keyFrom = Math.floor(h / (heads / keyHeads)) * width
  const first = window > 0 ? Math.max(0, position - window + 1) : 0
  const scores: number[] = []
  for (let j = first; j <= position; j++) {
    let sum = 0
    for (let c = 0; c < width; c++) sum = r(sum + r(at(q, query, from + c) * at(k, key + j, keyFrom + c)))
    const score = r(scale * sum)
    scores.push(cap > 0 ? r(cap * r(Math.tanh(r(score / cap)))) : score)
  }
  const top = Math.max(...scores)
  const list = scores.map(score => r(Math.exp(r(score - top))))
  return { first, powers: list, total: list.reduce((sum, power) => r(sum + power), 0) }
}

/** Causal attention of packed sequences, with keys of their own or in a cache. */
export function attend(a: Attend, r: Round): Matrix {
  const { q, v, heads, keyHeads = heads, starts, cache } = a, width = q.columns / heads
  const out = matrix(q.rows, q.columns)
  for (let b = 0; b + 1 < starts.length; b++) {
    const begin = starts[b]!, end = starts[b + 1]!
    const key = cache ? cache.starts[b]! : begin, keys = cache ? cache.counts[b]! : end - begin
    for (let i = begin; i < end; i++) {
      for (let h = 0; h < heads; h++) {
        const { first, powers: list, total } = powers(a, h, i, key, keys - (end - i), r)
        for (let c = 0; c < width; c++) {
          const column = Math.floor(h / (heads / keyHeads)) * width + c
          const sum = list.reduce((all, power, j) => r(all + r(power * at(v, key + first + j, column))), 0)
          out.data[i * q.columns + h * width + c] = r(sum / total)
        }
      }
    }
  }
  return out
}

/** The pattern of one sequence: row h·T + i, column j. */
export function attendPattern(s: Scores, r: Round): Matrix {
  const T = s.q.rows, out = matrix(s.heads * T, T)
  for (let h = 0; h < s.heads; h++) {
    for (let i = 0; i < T; i++) {
      const { first, powers: list, total } = powers(s, h, i, 0, i, r)
      list.forEach((power, j) => { out.data[(h * T + i) * T + first + j] = r(power / total) })
    }
  }
  return out
}

/** What attendFrozen is told. `old` is there where it accumulates. */
export interface AttendFrozen { pattern: Matrix, x: Matrix, heads: number, keyHeads?: number, transpose?: boolean, old?: Matrix }

/** Values [B·T, keyHeads·W] to results [B·T, heads·W]; transposed, gradients of results to gradients of values. */
export function attendFrozen({ pattern, x, heads, keyHeads = heads, transpose = false, old }: AttendFrozen, r: Round): Matrix {
  const T = pattern.columns, group = heads / keyHeads, width = x.columns / (transpose ? heads : keyHeads)
  const finish = (sum: number, row: number, column: number): number => old ? r(sum + at(old, row, column)) : sum
  if (!transpose) {
    return matrix(x.rows, heads * width, (row, column) => {
      const h = Math.floor(column / width), i = row % T, from = Math.floor(h / group) * width + column % width
      let sum = 0
      for (let j = 0; j <= i; j++) sum = r(sum + r(at(pattern, h * T + i, j) * at(x, row - i + j, from)))
      return finish(sum, row, column)
    })
  }
  return matrix(x.rows, keyHeads * width, (row, column) => {
    const g = Math.floor(column / width), j = row % T
    let all = 0
    for (let h = g * group; h < (g + 1) * group; h++) {
      let sum = 0
      for (let i = j; i < T; i++) sum = r(sum + r(at(pattern, h * T + i, j) * at(x, row - j + i, h * width + column % width)))
      all = h === g * group ? sum : r(all + sum)
    }
    return finish(all, row, column)
  })
}
