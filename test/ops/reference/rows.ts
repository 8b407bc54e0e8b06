// The slow truth of the entries that take rows one by one: into a model, through its gates and its positions, into a cache.
import { at, matrix } from './arithmetic.ts'
import type { Matrix, Round } from './arithmetic.ts'
import { activate } from './dense.ts'
import type { Activation } from './dense.ts'

/** What embed_rows is told; tableScales [1, V] where the table is integers. */
export interface Embedding {
  ids: ArrayLike<number>, table: Matrix, tableScales?: Matrix, scale?: number, places?: ArrayLike<number>, positions?: Matrix
}

/** out[n] = scale·(tableScales[ids[n]]·table[ids[n]]) + positions[places[n]]. */
export function embedRows({ ids, table, tableScales, scale = 1, places, positions }: Embedding, r: Round): Matrix {
  return matrix(ids.length, table.columns, (n, d) => {
    const stored = at(table, ids[n]!, d)
    const word = r(scale * (tableScales ? r(at(tableScales, 0, ids[n]!) * stored) : stored))
    return positions && places ? r(word + at(positions, places[n]!, d)) : word
  })
}

/** out = act(a)·b. */
export const gate = (activation: Activation, a: Matrix, b: Matrix, r: Round): Matrix =>
  matrix(a.rows, a.columns, (n, d) => r(activate(activation, at(a, n, d), r) * at(b, n, d)))

/** x with columns j and j + R of each head turned by the angle of the row's place; angles [P, 2·R] are cosines, then sines. */
export function rope({ x, heads, places, angles }: { x: Matrix, heads: number, places: ArrayLike<number>, angles: Matrix }, r: Round): Matrix {
  const width = x.columns / heads, half = angles.columns / 2
  return matrix(x.rows, x.columns, (n, d) => {
    const j = d % width
    if (j >= 2 * half) return at(x, n, d)
    const angle = j % half, cosine = at(angles, places[n]!, angle), sine = at(angles, places[n]!, half + angle)
    const partner = at(x, n, j < half ? d + half : d - half), turned = r(partner * sine)
    return r(r(at(x, n, d) * cosine) + (j < half ? -turned : turned))
  })
}

/** old with out[index[i]] = source[i], the last where an index comes twice. */
export function scatterRows(source: Matrix, index: ArrayLike<number>, old: Matrix): Matrix {
  const out = matrix(old.rows, old.columns, old.data)
  for (let i = 0; i < source.rows; i++) {
    for (let d = 0; d < source.columns; d++) out.data[index[i]! * old.columns + d] = at(source, i, d)
  }
  return out
}
