// Patterns of tokenizer.json are written for Oniguruma with Ruby's syntax; this turns them into RegExp objects that match the same texts.
// What differs: \s \d \w and \h are Unicode's, a dot matches all but \n, ^ and $ are those of lines, (?i:…) and possessive quantifiers exist
// in Oniguruma alone (Node 20 has neither), {n,m}+ repeats instead of being possessive, classes may hold classes.
import { TransweldError } from '../native/error.ts'

const LETTERS = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}'
const WORD = `${LETTERS}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}` // to Oniguruma, Latin-1's superscripts and fractions too, but [\W…] holds them as well
/** What the escapes for sets mean, as members of a class; the upper-case letter is the complement. */
const SETS: Readonly<Record<string, string>> = { s: '\\p{White_Space}', d: '\\p{Nd}', w: WORD, h: '0-9a-fA-F' }
const POSIX: Readonly<Record<string, string>> = {
  alnum: '\\p{Alphabetic}\\p{Nd}', alpha: '\\p{Alphabetic}', ascii: '\\u{0}-\\u{7f}', blank: '\\t\\p{Zs}', cntrl: '\\p{Cc}', digit: '\\p{Nd}',
  lower: '\\p{Lowercase}', punct: '\\p{P}\\p{S}', space: '\\p{White_Space}', upper: '\\p{Uppercase}', word: WORD, xdigit: '0-9a-fA-F',
}
const CATEGORY = /^(?:L[ulmot&]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?)$/
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27, 0: 0 }
const ANCHORS: Readonly<Record<string, string>> = {
  A: '^', z: '$', Z: '(?=\\n?$)', R: '(?:\\r\\n|[\\n-\\r\\u{85}\\u{2028}\\u{2029}])',
  b: `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`, B: `(?:(?<=[${WORD}])(?=[${WORD}])|(?<![${WORD}])(?![${WORD}]))`,
}

/** A literal text as a pattern. */
export const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/** The pattern of a step: `{ Regex }` in Oniguruma's syntax or `{ String }`; global and unicode. */
export function stepPattern(pattern: unknown): RegExp {
  const { String: text, Regex: source } = (pattern ?? {}) as { String?: unknown, Regex?: unknown }
  if (typeof text === 'string') return new RegExp(literal(text), 'gu')
  if (typeof source === 'string') return fromOniguruma(source)
  throw new TransweldError('ERR_FORMAT', 'expected { "Regex": … } or { "String": … } for a pattern')
}

/** The RegExp, global and unicode, for a pattern of Oniguruma. */
export function fromOniguruma(source: string): RegExp {
  const made = new Translation(source)
  const pattern = made.whole()
  try {
    return new RegExp(pattern, made.hasNested ? 'gv' : 'gu')
  } catch (error) {
    throw new TransweldError('ERR_FORMAT', `the pattern ${source} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

class Translation {
  /** A class within a class was met: only the flag v knows these. */
  hasNested = false
  readonly #text: string
  #at = 0
  #atoms = 0

  constructor(text: string) { this.#text = text }

  /** The whole pattern. */
  whole(): string {
    const result = this.#alternatives(false)
    if (this.#at < this.#text.length) throw this.#damaged('closes a group that it does not open')
    return result
  }

  // Up to the end or to a closing parenthesis. `folds`: letters stand for both cases.
  #alternatives(folds: boolean): string {
    let result = ''
    while (this.#at < this.#text.length && !this.#next(')')) {
      if (this.#take('|')) result += '|'
      else if (this.#take('(?i)')) folds = true
      else result += this.#quantified(this.#atom(folds))
    }
    return result
  }

  #next(word: string): boolean { return this.#text.startsWith(word, this.#at) }

  #take(word: string): boolean {
    const found = this.#next(word)
    if (found) this.#at += word.length
    return found
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found) this.#at += found[0].length
    return found
  }

  #atomic(body: string): string { return `(?:(?=(?<atom${++this.#atoms}>${body}))\\k<atom${this.#atoms}>)` }

  #quantified(atom: string): string {
    for (;;) {
      const [range, low, high] = this.#match(/\{(?=,?\d)(\d*)(?:,(\d*))?\}/y) ?? [] // {} and {,} stand for themselves
      if (range !== undefined) {
        atom = `(?:${atom}){${low || 0}${range.includes(',') ? ',' + high : ''}}`
        if (this.#take('?')) atom = range.includes(',') ? atom + '?' : `(?:${atom})?`
      } else if (this.#match(/[*+?]/y)) {
        const mark = this.#text[this.#at - 1]!
        atom = this.#take('?') ? `${atom}${mark}?` : this.#take('+') ? this.#atomic(atom + mark) : atom + mark
      } else return atom
      if (/[*+?{]/.test(this.#text[this.#at] ?? '')) atom = `(?:${atom})`
    }
  }

  #atom(folds: boolean): string {
    if (this.#take('(')) return this.#group(folds)
    if (this.#take('[')) return this.#set(folds)
    if (this.#take('.')) return '[^\\n]'
    if (this.#take('^')) return '(?<=^|\\n)' // not (?<![^\\n]), which V8 finds between two surrogates too
    if (this.#take('$')) return '(?=\\n|$)'
    if (/[*+?]/.test(this.#text[this.#at]!)) throw this.#damaged('repeats nothing')
    if (this.#next('\\')) {
      const anchor = ANCHORS[this.#text[this.#at + 1] ?? '']
      if (anchor !== undefined) return this.#at += 2, anchor
      const [reference] = this.#match(/\\(?:[1-9]|k<\w+>)/y) ?? []
      if (reference !== undefined) return reference
      const set = this.#escapedSet()
      if (set !== undefined) return set
    }
    const code = this.#character()
    return folds ? `[${cases(code).map(escaped).join('')}]` : escaped(code)
  }

  #group(folds: boolean): string {
    if (this.#match(/\?#[^)]*\)/y)) return ''
    if (this.#take('?>')) return this.#atomic(this.#body(folds))
    const [, on, off = ''] = this.#match(/\?([a-z]*)(?:-([a-z]*))?:/y) ?? []
    if (on !== undefined) {
      if (/[^i]/.test(on + off)) throw this.#unsupported(`the option ${on}${off && '-' + off} of a group`)
      return `(?:${this.#body(on !== '' || (folds && off === ''))})`
    }
    const [head = ''] = this.#match(/\?(?:<?[=!]|<[A-Za-z_]\w*>)/y) ?? []
    return `(${head}${this.#body(folds)})`
  }

  // The inside of a group, and its end.
  #body(folds: boolean): string {
    const body = this.#alternatives(folds)
    if (!this.#take(')')) throw this.#damaged('has a group without an end')
    return body
  }

  #damaged(why: string): TransweldError { return new TransweldError('ERR_FORMAT', `the pattern ${this.#text} ${why}`) }

  #unsupported(what: string): TransweldError {
    return new TransweldError('ERR_UNSUPPORTED', `the pattern ${this.#text} uses ${what}, which transweld does not know`)
  }

  // \s \p{L} … as a class of its own.
  #escapedSet(): string | undefined {
    const member = this.#member(false)
    return member === undefined ? undefined : member.startsWith('[') ? member : `[${member}]`
  }

  // \s \p{L} … as members of a class; a complement of several members is a class.
  #member(inClass: boolean): string | undefined {
    const [, set] = this.#match(/\\([sdwhSDWH])/y) ?? []
    if (set !== undefined) {
      const members = SETS[set.toLowerCase()]!
      if (set === set.toLowerCase()) return members
      return /^\\p\{\w+\}$/.test(members) ? members.replace('p', 'P') : `[^${members === WORD && inClass ? LETTERS : members}]`
    }
    const [, letter, caret, name] = this.#match(/\\([pP])\{(\^?)([^}]*)\}/y) ?? []
    if (name === undefined) return undefined
    const isComplement = (letter === 'P') !== (caret === '^'), posix = POSIX[name.toLowerCase()]
    if (posix !== undefined) return isComplement ? `[^${posix}]` : posix
    return `\\${isComplement ? 'P' : 'p'}{${CATEGORY.test(name) || name === 'Any' ? name : `Script=${name}`}}`
  }

  // After `[`, to its `]`.
  #set(folds: boolean): string {
    const start = this.#at, head = this.#take('^') ? '[^' : '[', sets = [''] // what && joins; && binds less than standing side by side
    const add = (member: string): void => { sets[sets.length - 1] += member }
    if (this.#take(']')) add('\\]')
    while (!this.#take(']')) {
      if (this.#at >= this.#text.length) throw this.#damaged(`has a class without an end: ${this.#text.slice(start - 1)}`)
      const [, not, posix] = this.#match(/\[:(\^?)(\w+):\]/y) ?? []
      if (posix !== undefined && POSIX[posix] !== undefined) add(this.#nested(not === '^' ? `[^${POSIX[posix]}]` : POSIX[posix]!))
      else if (this.#take('[')) add(this.#nested(this.#set(folds)))
      else if (this.#take('&&')) sets.push('')
      else {
        const set = this.#next('\\') ? this.#member(true) : undefined
        add(set === undefined ? this.#range(folds) : this.#nested(set))
      }
    }
    if (sets.length > 1) this.hasNested = true
    return `${head}${sets.length > 1 ? sets.map(set => `[${set}]`).join('&&') : sets[0]}]`
  }

  #nested(member: string): string {
    if (member.startsWith('[')) this.hasNested = true
    return member
  }

  // One character of a class, or from one to another.
  #range(folds: boolean): string {
    const low = this.#character()
    if (!/^-[^\]]/.test(this.#text.slice(this.#at, this.#at + 2)) || this.#next('-[')) return folds ? cases(low).map(escaped).join('') : escaped(low)
    this.#at++
    const high = this.#character(), range = `${escaped(low)}-${escaped(high)}`
    if (!folds || high - low > 255) return range
    return range + Array.from({ length: high - low + 1 }, (_, i) => cases(low + i).map(escaped).join('')).join('')
  }

  #character(): number {
    const [, braced, two, four] = this.#match(/\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4}))/y) ?? [], hex = braced ?? two ?? four
    if (hex !== undefined) return parseInt(hex, 16)
    if (this.#take('\\')) {
      const control = CONTROLS[this.#text[this.#at] ?? '']
      if (control !== undefined) return this.#at++, control
      if (/[A-Za-z1-9]/.test(this.#text[this.#at] ?? 'z')) throw this.#unsupported('\\' + (this.#text[this.#at] ?? ''))
    }
    const code = this.#text.codePointAt(this.#at)!
    this.#at += code > 0xffff ? 2 : 1
    return code
  }
}

// ASCII letters and digits as themselves, everything else by number: right inside and outside of classes, with u and with v.
function escaped(code: number): string {
  const character = String.fromCodePoint(code)
  return /[\w ]/.test(character) && character !== '_' ? character : `\\u{${code.toString(16)}}`
}

const FOLDED = '\u017f\u212a\u212b\u1e9e\u03d0\u03d1\u03d5\u03d6\u03f0\u03f1\u03f5\u03c2\u1e9b\u1fbe\u00b5' // fold to a letter, but are not its other case

// The characters that fold to the same one: s S ſ.
function cases(code: number): number[] {
  const character = String.fromCodePoint(code), all = new Set([code])
  if (!/\p{L}|\p{M}/u.test(character)) return [code]
  const same = new RegExp(escaped(code), 'iu')
  const lower = character.toLowerCase(), upper = character.toUpperCase()
  for (const other of [...FOLDED, lower, upper, lower.toUpperCase(), upper.toLowerCase()]) {
    if ([...other].length === 1 && same.test(other)) all.add(other.codePointAt(0)!)
  }
  return [...all]
}
