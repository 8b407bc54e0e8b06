// The small part of YAML that transcoder sets are described in: `key: scalar` lines and one level of `- item` lists.

/** What such a file holds. */
export type FlatYaml = Record<string, string | string[]>

/** Reads it; where a line is not of that shape, its number instead. */
export function parseFlatYaml(text: string): FlatYaml | { readonly line: number } {
  const out: FlatYaml = Object.create(null) as FlatYaml
  let list: string[] | undefined
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const line = withoutComment(raw)
    if (line === '' || line === '---') continue
    const item = /^\s*-\s+(.*)$/.exec(line)
    if (item) {
      if (!list) return { line: i + 1 }
      list.push(unquoted(item[1]!))
      continue
    }
    const pair = /^([A-Za-z_][\w-]*):(?:\s+(.*))?$/.exec(line)
    if (!pair) return { line: i + 1 }
    list = undefined
    out[pair[1]!] = pair[2] === undefined || pair[2] === '' ? list = [] : unquoted(pair[2])
  }
  return out
}

/** Writes it; every string that could be read as something else is quoted. */
export function formatFlatYaml(values: Readonly<Record<string, string | number | readonly string[] | undefined>>): string {
  let out = ''
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue
    out += Array.isArray(value) ? `${key}:\n${value.map(v => `- ${quoted(v as string)}\n`).join('')}` : `${key}: ${typeof value === 'number' ? value : quoted(value as string)}\n`
  }
  return out
}

// A # within quotes begins no comment.
function withoutComment(line: string): string {
  const quoted = /^(\s*(?:-|[\w-]+:)\s+)("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?:#.*)?$/.exec(line)
  return quoted ? quoted[1]! + quoted[2]! : line.replace(/(^|\s)#.*$/, '').trimEnd()
}

function unquoted(text: string): string {
  const t = text.trim()
  if (t.length >= 2 && t.startsWith('"') && t.endsWith('"')) { try { return JSON.parse(t) as string } catch { return t } }
  return t.length >= 2 && t.startsWith("'") && t.endsWith("'") ? t.slice(1, -1).replaceAll("''", "'") : t
}

function quoted(text: string): string {
  return /^[A-Za-z_][\w./-]*( [\w./-]+)*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text) ? text : JSON.stringify(text)
}
