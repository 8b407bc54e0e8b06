// Rows of words in columns, for a terminal.

/** The first column is aligned left, the others right; the first row is the head. */
export function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  const place = (cell: string, i: number): string => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
  return rows.map(row => row.map(place).join('  ').trimEnd() + '\n').join('')
}
