// The rows as an aligned table, for people. The JSON has the same rows and the same head.
import type { Machine } from './machine.ts'
import type { Row } from './row.ts'

const HEAD = ['name', 'shape', 'ms', 'peer', 'peer ms', 'ratio', 'floor ms', 'of floor', 'figures']
const RIGHT = new Set([2, 4, 5, 6, 7])

/** The whole report. */
export function table(machine: Machine, limits: Readonly<Record<string, number>>, rows: readonly Row[]): string {
  const head = Object.entries({ ...machine, ...limits }).map(([name, value]) => `${name}: ${typeof value === 'number' ? digits(value) : value}`)
  return head.join('\n') + '\n\n' + align([HEAD, ...rows.map(cells)]) + '\n'
}

/** One line, while the run goes on. */
export function line(row: Row): string {
  return cells(row).filter(cell => cell !== '').join('  ')
}

function cells(row: Row): string[] {
  const { milliseconds, floorMilliseconds } = row
  const of = milliseconds !== null && floorMilliseconds ? (milliseconds / floorMilliseconds).toFixed(2) : ''
  const figures = Object.entries(row.figures ?? {}).map(([name, value]) => `${name} ${digits(value)}`).join(', ')
  return [row.name, row.shape, time(milliseconds), row.peer ?? '', time(row.peerMilliseconds), row.ratio?.toFixed(3) ?? '', time(floorMilliseconds), of, figures]
}

function time(milliseconds: number | null): string {
  return milliseconds === null ? '' : digits(milliseconds)
}

// Four digits that count, and no exponent.
function digits(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const whole = Math.floor(Math.log10(Math.abs(value) || 1)) + 1
  return String(Number(value.toFixed(Math.max(0, Math.min(6, 4 - whole)))))
}

function align(lines: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, column) => Math.max(...lines.map(cells => cells[column]!.length)))
  return lines.map(cells => cells.map((cell, i) => RIGHT.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join('  ').trimEnd()).join('\n')
}
